-- What is known of the account counts the removals that SES has not carried out: without this, by reading every suppression.
create index suppression_removing on suppression (removing_since) where removing_since is not null;
