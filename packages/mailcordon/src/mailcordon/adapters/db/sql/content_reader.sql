-- Content of accepted mail, for people who look into it.

-- name: stored
-- Only of mail that is not urgent: what is in `urgent_content` lets people in, and is read by dispatchers alone. A content is stored
-- without compression, so of one that is too large only its size is read.
select octet_length(c.body) as size, case when octet_length(c.body) <= $2::int then c.body end as body from content c where c.id = $1;
