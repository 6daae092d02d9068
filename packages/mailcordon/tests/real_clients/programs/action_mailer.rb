# Rails' ActionMailer, by SMTP.
require "json"
require "action_mailer"

given = JSON.parse($stdin.read)
smtp = given["smtp"]

ActionMailer::Base.delivery_method = :smtp
ActionMailer::Base.smtp_settings = {
  address: smtp["host"],
  port: smtp["port"],
  user_name: smtp["username"],
  password: smtp["password"],
  authentication: :plain,
  enable_starttls_auto: smtp["starttls"],
  ca_file: smtp["ca"],
}

def named(person)
  person["name"].empty? ? person["address"] : Mail::Address.new.tap { |one|
    one.address = person["address"]
    one.display_name = person["name"]
  }.format
end

class Letters < ActionMailer::Base
  def letter(mail)
    headers["References"] = mail["references"].join(" ") unless mail["references"].empty?
    unless mail["inline"].empty?
      attachments.inline["pixel.png"] = { content: mail["pixel"].unpack1("m"), content_id: "<#{mail["inline"]}>" }
    end
    if mail["attachment"] > 0
      bytes = (0..255).to_a.pack("C*")
      content = (bytes * (mail["attachment"] / 256 + 1))[0, mail["attachment"]]
      attachments["Rechnung.pdf"] = { mime_type: "application/pdf", content: content }
    end
    mail(
      from: named("name" => mail["sender"], "address" => mail["from"]),
      to: mail["to"].map { |one| named(one) },
      cc: mail["cc"].map { |one| named(one) },
      bcc: mail["bcc"].map { |one| named(one) },
      subject: mail["subject"],
    ) do |format|
      format.text { render plain: mail["text"] }
      format.html { render html: mail["html"].html_safe } unless mail["html"].empty?
    end
  end
end

given["mails"].each { |mail| Letters.letter(mail).deliver_now }
