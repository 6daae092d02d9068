-- What `events.py` writes. $ parameters are named in the first line of each; `place` and `say` are made there.

-- name: incidents(now, rows, of these open)
insert into incident (kind, cause, severity, scope, name, tenant, lane, culprit, sentence, next, command, since, opened_at, identified_at,
                      mitigated_at, mitigated_by, acknowledged_at, acknowledged_by, closed_at, closed_by, closed_because, seen_at,
                      cause_seen_at, alarms, entries)
select (array['rates', 'breaker', 'objective', 'stuck', 'ses-finding', 'drift'])[1 + n % 6], 'lane:' || p.slug || '/' || p.type || ':' || n,
       (array['critical', 'high', 'medium', 'low'])[1 + n % 4], 'lane', p.slug || '/' || p.type, p.tenant, p.lane,
       case when n % 5 > 0 then p.slug || '/' || p.type || ': ' || pg_temp.say(n) end,
       p.slug || '/' || p.type || ': 80 hard bounces of 1,200 mails since 06:00 UTC. ' || pg_temp.say(n + 1),
       'See it with `mailcordon lane ' || p.slug || ' ' || p.type || '`. ' || pg_temp.say(n + 2),
       'mailcordon lane ' || p.slug || ' ' || p.type, at, at + 40000, case when n % 5 > 0 then at + 60000 end,
       case when done or n % 3 = 0 then at + 300000 end, case when done or n % 3 = 0 then 'breaker' end,
       case when n % 2 = 0 then at + 400000 end, case when n % 2 = 0 then pg_temp.say(n + 3) end,
       case when done then at + 7200000 end, case when done then 'control' end, case when done then pg_temp.say(n + 1) end,
       case when done then at + 7000000 else $1::bigint end, case when done then at + 7000000 else $1::bigint end, 2, 5
  from (select n, n >= $3::bigint as done,
               $1::bigint - case when n >= $3::bigint then 10000000 + n * 3600000 else 60000 * (n + 3) end as at
          from generate_series(0, $2::bigint - 1) n) x
  join place p on p.place = x.n % (select count(*) from place)
 order by at;

-- name: alarms(now)
insert into incident_alarm (incident, key, source, kind, cause, severity, contained, tenant, sentence, since, first_seen, ended_at)
select i.id, k || ':' || i.id, 'rates', i.kind, i.cause, i.severity, i.mitigated_at is not null, i.tenant, i.sentence, i.since, i.opened_at,
       case when i.closed_at is not null then least(i.closed_at, $1::bigint) end
  from incident i cross join generate_series(1, 2) k;

-- name: entries
insert into incident_entry (incident, at, what, author, text, key)
select i.id, i.opened_at + 30000 * (k - 1), (array['opened', 'identified', 'action', 'note', 'contained'])[k],
       case when k = 4 then pg_temp.say(i.id) else 'control' end, pg_temp.say(i.id + k) || ' (' || i.name || ')', 'entry:' || k
  from incident i cross join generate_series(1, 5) k;

-- name: holds(now, rows, of these open)
insert into hold (tenant, lane, campaign, list, stops, rate, owner, because, by, since, until, lifted_at, lifted_by, lifted_because)
select p.tenant, p.lane, case when n % 4 = 0 then pg_temp.say(n) end, case when n % 4 = 1 then pg_temp.say(n) end,
       n % 5 > 0, case when n % 5 = 0 then 2.5 end, (array['person', 'breaker', 'policy'])[1 + n % 3], pg_temp.say(n + 1),
       case when n % 3 = 0 then pg_temp.say(n + 2) else 'breaker' end, at, case when n % 7 = 0 then at + 90000000000 end,
       case when done then at + 3600000 end, case when done then pg_temp.say(n) end, case when done then pg_temp.say(n + 3) end
  from (select n, n >= $3::bigint as done,
               $1::bigint - case when n >= $3::bigint then 10000000 + n * 600000 else 60000 * (n + 2) end as at
          from generate_series(0, $2::bigint - 1) n) x
  join place p on p.place = x.n % (select count(*) from place)
 order by at;

-- name: held_lanes
update lane l set held = true from hold h where h.lane = l.id and h.lifted_at is null and h.stops and h.campaign is null and h.list is null;

-- name: stopped_lanes
update lane l set stopped = true from stop s where s.lane = l.id and s.ended_at is null;

-- name: stops(now, rows, twice the open ones)
insert into stop (scope, name, tenant, lane, cause, because, said, urgent, since, last_seen, hits, probe_at, probes, last_probe, ended_at,
                  ended_by, ended_because)
select 'lane', p.lane::text, p.tenant, p.lane, (array['access-denied', 'set-up'])[1 + n % 2], pg_temp.say(n), pg_temp.say(n + 1), p.class = 0, at, at + 60000, 3,
       $1::bigint + 60000, 2, pg_temp.say(n + 2), case when done then at + 900000 end, case when done then 'probe' end,
       case when done then pg_temp.say(n) end
  from (select n, n >= $3::bigint / 2 as done,
               $1::bigint - case when n >= $3::bigint / 2 then 10000000 + n * 7200000 else 60000 * (n + 1) end as at
          from generate_series(0, $2::bigint - 1) n) x
  join place p on p.place = (x.n + 3) % (select count(*) from place)
 order by at;

-- name: decisions(now, rows, of these open)
insert into breaker_decision (tenant, lane, part, signal, half, level, mode, at, since, seen, done, waiting, rate, document, ended_at, ended_by,
                              ended_because)
select p.tenant, p.lane, case when n % 3 = 0 then 'list:' || pg_temp.say(n) else '' end, (array['bounces', 'complaints', 'blocks', 'delays'])[1 + n % 4],
       'absolute', 1 + n % 3, (array['enforce', 'shadow'])[1 + n % 2], at, at - 60000,
       p.slug || '/' || p.type || ': 80 hard bounces of 1,200 mails. ' || pg_temp.say(n), pg_temp.say(n + 1), n * 13 % 5000,
       case when n % 3 = 0 then 1.5 end, '{"sent": 1200, "bounces": 80}', case when done then at + 3600000 end, case when done then 'breaker' end, case when done then pg_temp.say(n + 2) end
  from (select n, n >= $3::bigint as done,
               $1::bigint - case when n >= $3::bigint then 10000000 + n * 900000 else 60000 * (n + 2) end as at
          from generate_series(0, $2::bigint - 1) n) x
  join place p on p.place = x.n % (select count(*) from place)
 order by at;

-- name: suppressions(now, rows)
insert into suppression (tenant, hash, scope, target, address, cause, evidence, since, by)
select p.tenant, sha256(('person' || n || p.slug)::bytea), 0, 0, 'person' || n || '@example.com',
       (array['hard-bounce', 'complaint', 'unsubscribe', 'manual'])[1 + n % 4], jsonb_build_object('because', pg_temp.say(n)),
       $1::bigint - n * 20000, case when n % 4 = 3 then pg_temp.say(n + 1) else 'observe' end
  from generate_series(0, $2::bigint - 1) n join place p on p.place = n * n % (select count(*) from place);

-- name: audit(from, to, rows in all)
insert into audit (at, actor, action, tenant, object, before, after, because)
select now() - make_interval(secs => ($3::bigint - n) * 60), pg_temp.say(n), (array['hold.place', 'hold.lift', 'key.create', 'lane.rate'])[1 + n % 4],
       case when n % 9 > 0 then p.tenant end, 'lane ' || p.slug || '/' || p.type || ' ' || pg_temp.say(n + 1),
       jsonb_build_object('rate', null), jsonb_build_object('rate', n % 50, 'said', pg_temp.say(n + 2)), pg_temp.say(n + 3)
  from generate_series($1::bigint, $2::bigint - 1) n join place p on p.place = n % (select count(*) from place)
 order by n;

-- name: plans(rows, of these open)
insert into plan (revision, source, tenant, state, made_at, made_by, because, decided_at, decided_by, decided_because, ended_at)
select n, 'person', p.tenant, case when done then 'applied' else 'proposed' end, now() - make_interval(hours => n::int), pg_temp.say(n), pg_temp.say(n + 1),
       case when done then now() - make_interval(hours => n::int) end, case when done then pg_temp.say(n) end,
       case when done then pg_temp.say(n + 2) end, case when done then now() - make_interval(hours => n::int) end
  from (select n, n >= $2::bigint as done from generate_series(0, $1::bigint - 1) n) x join place p on p.place = x.n % (select count(*) from place)
 order by x.n desc;

-- name: changes
insert into plan_change (plan, seq, kind, name, action, member, tenant, want, waits, state, outcome, at)
select plan.id, k, 'configuration-set', 'mc-' || plan.id || '-' || k, 'update', 'reputation', plan.tenant, '{"enabled": true}',
       case when k = 2 then pg_temp.say(plan.id) end, case when plan.state = 'applied' then 'done' else 'pending' end,
       case when plan.state = 'applied' then pg_temp.say(plan.id + k) end, case when plan.state = 'applied' then now() end
  from plan cross join generate_series(1, 3) k;

-- name: findings(rows, of these open)
insert into finding (kind, severity, resource_kind, resource, member, tenant, detail, since, seen_at, ended_at, ended_because)
select 'unknown-difference', (array['critical', 'high', 'medium', 'low'])[1 + n % 4], 'configuration-set', 'mc-' || p.slug || '-' || n,
       'reputation', p.tenant, jsonb_build_object('resource', 'mc-' || p.slug, 'member', 'reputation', 'was', 'true', 'has', pg_temp.say(n)), now() - make_interval(hours => n::int), now(),
       case when n >= $2::bigint then now() - make_interval(mins => n::int) end, case when n >= $2::bigint then 'repaired' end
  from generate_series(0, $1::bigint - 1) n join place p on p.place = n % (select count(*) from place);

-- name: ses_findings(now, rows)
insert into ses_finding (arn, name, tenant, type, impact, description, since, first_seen, ended_at)
select 'arn:aws:ses:us-east-1:123456789012:tenant/' || n, p.slug, p.tenant, (array['BOUNCE', 'COMPLAINT', 'FEEDBACK_3P'])[1 + n % 3],
       (array['LOW', 'HIGH'])[1 + n % 2], pg_temp.say(n), $1::bigint - n * 3600000, $1::bigint - n * 3600000,
       case when n > 5 then $1::bigint - n * 1000000 end
  from generate_series(0, $2::bigint - 1) n join place p on p.place = n % (select count(*) from place);

-- name: ungoverned(now, rows)
insert into ungoverned (identity, caller, first_at, last_at, since, seen_at, mails, recipients, bounces, complaints, facts)
select 'mail.tenant-' || n || '.example', 'arn:aws:iam::123456789012:role/' || pg_temp.say(n), $1::bigint - 86400000 * 3, $1::bigint - 60000 * n,
       $1::bigint - 7200000, $1::bigint - 60000 * n, 100 * n, 100 * n, n, n % 3, '{}'
  from generate_series(1, $2::bigint) n;

-- name: ungoverned_hours(now)
insert into ungoverned_hour (sender, hour, mails, recipients)
select u.id, ($1::bigint / 3600000)::int - h, 10, 10 from ungoverned u cross join generate_series(0, 47) h;

-- name: quarantine(rows)
insert into quarantine (digest, why, detail, document, source, tenant, first_received_at, last_received_at)
select sha256(n::text::bytea), (array['malformed', 'ungoverned', 'disagreement', 'unknown-delivery', 'double'])[1 + n % 5], pg_temp.say(n),
       json_build_object('eventType', 'Bounce', 'said', pg_temp.say(n + 1))::text, 'mailcordon-outcome', null,
       now() - make_interval(mins => n::int), now() - make_interval(mins => n::int)
  from generate_series(0, $1::bigint - 1) n
 order by n desc;

-- name: pools(rows)
insert into ip_pool (name, managed, marketing, owner, because, escalation, created_by)
select 'pool-' || n, true, n % 2 = 0, pg_temp.say(n), pg_temp.say(n + 1), pg_temp.say(n + 2), pg_temp.say(n + 3)
  from generate_series(0, least($1::bigint, 12) - 1) n;

-- name: members(rows)
insert into ip_pool_member (pool, marketing, tenant, class, because, added_by)
select 'pool-' || 2 * (n % 6) + case when p.class = 2 then 0 else 1 end, p.class = 2, p.tenant, p.class, pg_temp.say(n), pg_temp.say(n + 1)
  from (select row_number() over (order by p.place) - 1 as n, p.tenant, p.class from place p where p.place < $1::bigint) p;

-- name: rollouts(now, four times the rows)
insert into rollout (tenant, state, share, since, shares, began_at, began_by, because, looked_at, verdict, sentence, ended_at)
select p.tenant, (array['running', 'held', 'back', 'finished'])[1 + n % 4], (array[5, 20, 0, 100])[1 + n % 4], $1::bigint - n * 60000,
       '{1,5,20,50,100}', $1::bigint - (n + 1) * 3600000, pg_temp.say(n), pg_temp.say(n + 1), $1::bigint, 'wait', pg_temp.say(n + 2),
       case when n % 4 = 3 then $1::bigint - n * 60000 end
  from generate_series(0, $2::bigint / 4) n join place p on p.place = n % (select count(*) from place);

-- name: rollout_lanes
insert into rollout_lane (rollout, tenant, lane, open)
select distinct on (l.id) r.id, r.tenant, l.id, r.ended_at is null from rollout r join lane l on l.tenant = r.tenant order by l.id, r.id desc;

-- name: rollout_steps(the highest rollout)
insert into rollout_step (rollout, tenant, what, from_share, to_share, by, sentence)
select r.id, r.tenant, (array['start', 'pass', 'back'])[k], k, k + 1, pg_temp.say(r.id), pg_temp.say(r.id + k)
  from rollout r cross join generate_series(1, 3) k where r.id <= $1::bigint;

-- name: signals(now, rows)
insert into outside_signal (source, domain, day, provider, reporter, report, rate, bad, of_mails, trust, tenant, imported_by)
select case when n % 2 = 0 then 'postmaster' else 'dmarc' end, 'mail.' || p.slug || '.example', ($1::bigint / 86400000)::int - (n % 30)::int, 1,
       pg_temp.say(n), n::text, 0.01, 10, 1000, 'medium', p.tenant, pg_temp.say(n + 1)
  from generate_series(0, $2::bigint - 1) n join place p on p.place = n % (select count(*) from place);

-- name: webhooks(now, rows)
insert into webhook_endpoint (name, tenant, form, target, events, made_at, made_by, failing_since, problem)
select 'hook-' || n, p.tenant, 'standard', 'hooks.' || p.slug || '.example', '{message.bounced}', $1::bigint - n * 1000, pg_temp.say(n),
       case when n % 5 = 0 then $1::bigint - 60000 end, case when n % 5 = 0 then pg_temp.say(n + 1) end
  from generate_series(0, $2::bigint - 1) n join place p on p.place = n % (select count(*) from place);

-- name: keys(rows)
insert into api_key (tenant, prefix, hash, name, holder, scopes, created_by)
select p.tenant, 'bench' || n, sha256(('bench' || n)::bytea), pg_temp.say(n), pg_temp.say(n + 1), '{send,read}', pg_temp.say(n + 2)
  from generate_series(0, $1::bigint - 1) n join place p on p.place = n % (select count(*) from place);

-- name: identities
update identity set checked_at = now(), records =
    jsonb_build_array(jsonb_build_object('type', 'CNAME', 'name', 'abc._domainkey.' || domain, 'value', 'abc.dkim.amazonses.com'),
                      jsonb_build_object('type', 'MX', 'name', 'bounce.' || domain, 'value', '10 feedback-smtp.us-east-1.amazonses.com'),
                      jsonb_build_object('type', 'TXT', 'name', '_dmarc.' || domain, 'value', 'v=DMARC1; p=none'));

-- name: mail_campaigns
update message set campaign = pg_temp.say(id / 64), list = pg_temp.say(id / 64 + 1);

-- name: waiting_campaigns
update ready set campaign = pg_temp.say(id / 64), list = pg_temp.say(id / 64 + 1);

-- name: mail_events
update event set detail = detail || jsonb_build_object('text', pg_temp.say(delivery / 64), 'reason', pg_temp.say(delivery / 64 + 1));

-- name: mail_outcomes
update outcome set detail = pg_temp.say(id / 64), reason = pg_temp.say(id / 64 + 1);

-- name: mail_reasons
update ledger set detail = pg_temp.say(id / 64);

-- name: mail_contents
insert into content (id, body)
select id, convert_to(jsonb_build_object('FromEmailAddress', from_address, 'Content', jsonb_build_object('Simple', jsonb_build_object(
           'Subject', jsonb_build_object('Data', pg_temp.say(id / 64), 'Charset', 'UTF-8'),
           'Body', jsonb_build_object('Text', jsonb_build_object('Data', pg_temp.say(id / 64 + 1), 'Charset', 'UTF-8'),
                                      'Html', jsonb_build_object('Data', pg_temp.say(id / 64 + 2), 'Charset', 'UTF-8')))))::text, 'UTF8')
  from message;
