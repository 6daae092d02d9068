<?php
// Symfony Mailer by SMTP: what Laravel's `smtp` mailer is.
require 'Symfony/Component/Mailer/autoload.php';

use Symfony\Component\Mailer\Mailer;
use Symfony\Component\Mailer\Transport\Smtp\EsmtpTransport;
use Symfony\Component\Mime\Address;
use Symfony\Component\Mime\Email;

$given = json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR);
$smtp = $given['smtp'];

$transport = new EsmtpTransport($smtp['host'], $smtp['port']);
$transport->setUsername($smtp['username'])->setPassword($smtp['password']);
if ($smtp['ca']) {
    $transport->getStream()->setStreamOptions(['ssl' => ['cafile' => $smtp['ca'], 'peer_name' => 'localhost']]);
}
$mailer = new Mailer($transport);
$people = fn (array $given): array => array_map(fn ($one) => new Address($one['address'], $one['name']), $given);

foreach ($given['mails'] as $mail) {
    $made = (new Email())
        ->from(new Address($mail['from'], $mail['sender']))
        ->to(...$people($mail['to']))
        ->cc(...$people($mail['cc']))
        ->bcc(...$people($mail['bcc']))
        ->subject($mail['subject'])
        ->text($mail['text']);
    if ($mail['html']) {
        $made->html($mail['html']);
    }
    if ($mail['references']) {
        $made->getHeaders()->addTextHeader('References', implode(' ', $mail['references']));
    }
    if ($mail['inline']) {
        $made->embed(base64_decode($mail['pixel']), $mail['inline'], 'image/png');
    }
    if ($mail['attachment']) {
        $bytes = implode('', array_map('chr', range(0, 255)));
        $content = substr(str_repeat($bytes, intdiv($mail['attachment'], 256) + 1), 0, $mail['attachment']);
        $made->attach($content, 'Rechnung März.pdf', 'application/pdf');
    }
    $mailer->send($made);
}
