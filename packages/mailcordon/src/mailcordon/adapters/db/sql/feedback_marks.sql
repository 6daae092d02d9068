-- Which lanes' counts are unreliable, since events of their mail are lost or late (docs/decisions/033-feedback-losses.md).

-- name: marks
-- Of these lanes, or of all (null), the losses that cover a part of a window. Times are milliseconds since 1970.
select lane, loss, signal, provider, since, until, late from feedback_mark
 where ($1::int[] is null or lane = any ($1)) and since < $3::bigint and (until is null or until > $2::bigint)
 order by lane, since, loss;

-- name: own_marks
-- The same for the tenant that the transaction names.
select lane, null::bigint as loss, signal, provider, since, until, late from own_feedback_mark
 where ($1::int[] is null or lane = any ($1)) and since < $3::bigint and (until is null or until > $2::bigint)
 order by lane, since;

-- name: any_mark
-- Whether any loss covers a part of a window: mostly none does, and nobody has to look by lane.
select exists (select from feedback_loss where since < $2::bigint and (until is null or until > $1::bigint and missing > 0));
