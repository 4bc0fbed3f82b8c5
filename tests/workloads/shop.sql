-- SPDX-License-Identifier: GPL-2.0
-- What w/postgresql asks of PostgreSQL: everything here is determined.
set jit = off;
create extension pgcrypto;
create extension pg_trgm;
create extension hstore;
create table customer (id int primary key, name text, tags hstore, joined date);
create table item (id serial primary key, customer int references customer, price numeric(10,2),
	at timestamp, note jsonb, words tsvector);
insert into customer select g, 'customer ' || md5(g::text), hstore('k' || g % 7, g::text),
	date '2020-01-01' + g % 900 from generate_series(1, 3000) g;
insert into item (customer, price, at, note, words)
	select 1 + (g * 7919) % 3000, (g * 31 % 10007) / 7.0, timestamp '2021-01-01' + g * interval '97 s',
	jsonb_build_object('n', g, 'even', g % 2 = 0, 'list', jsonb_build_array(g % 3, g % 5)),
	to_tsvector('english', 'the ' || (array['quick', 'lazy', 'brown', 'running'])[1 + g % 4] || ' foxes number ' || g)
	from generate_series(1, 30000) g;
create index on item (customer, at);
create index on item using gin (note);
create index on item using gin (words);
create index on item using brin (at);
create index on customer using gist (name gist_trgm_ops);
create index on customer using hash (name);
vacuum analyze;

\echo joins, windows, grouping
select md5(string_agg(r::text, ';' order by r::text)) from (
	select c.joined, sum(i.price), rank() over (partition by extract(year from c.joined) order by sum(i.price) desc, c.joined)
	from customer c join item i on i.customer = c.id group by c.joined) r;
select extract(year from at), count(*), sum(price), percentile_cont(0.5) within group (order by price)
	from item group by rollup (1) order by 1;
with recursive t(a, b, n) as (select 0::numeric, 1::numeric, 0 union all select b, a + b, n + 1 from t where n < 300)
	select md5(string_agg(a::text, ',' order by n)) from t;

\echo indexes
set enable_seqscan = off;
select count(*) from item where note @> '{"even": true, "list": [1]}';
select count(*) from item where words @@ to_tsquery('english', 'fox & run');
select id, name from customer order by name <-> 'customer abc', id limit 3;
select count(*), sum(price) from item where at between '2021-01-10' and '2021-01-20';
reset enable_seqscan;

\echo compiled
set jit = on; set jit_above_cost = 0; set jit_inline_above_cost = 0; set jit_optimize_above_cost = 0;
create function compiled(query text) returns text language plpgsql as $$
declare line text;
begin
	for line in execute 'explain (analyze) ' || query loop
		if line ~ 'Functions:' then return 'was compiled'; end if;
	end loop;
	return 'interpreted';
end $$;
select compiled('select sum(price * 2 + id % 7) from item where id % 3 = 1');
select sum(price * 2 + id % 7), count(*) from item where id % 3 = 1;
select md5(string_agg(concat_ws(',', customer, s, n), ';' order by customer))
	from (select customer, sum(price) s, count(*) filter (where (note->>'even')::bool) n from item group by customer) x;

\echo parallel
set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
set min_parallel_table_scan_size = 0;
create function workers(query text) returns text language plpgsql as $$
declare line text;
begin
	for line in execute 'explain (analyze, costs off, timing off, summary off) ' || query loop
		if line ~ 'Workers Launched: [1-9]' then return 'had workers'; end if;
	end loop;
	return 'none';
end $$;
select workers('select count(*), sum(price) from item where price > 100');
select count(*), sum(price) from item where price > 100;
set jit = off;
select count(*), sum(length(note::text)) from item a join customer c on c.id = a.customer where c.tags ? 'k3';

\echo functions
create function collatz(n bigint) returns int language plpgsql as $$
declare steps int := 0;
begin
	while n <> 1 loop
		n := case when n % 2 = 0 then n / 2 else 3 * n + 1 end;
		steps := steps + 1;
	end loop;
	return steps;
end $$;
select max(collatz(g)), sum(collatz(g)) from generate_series(1, 2000) g;
select encode(digest(string_agg(name, ',' order by id), 'sha256'), 'hex') from customer;
select encode(hmac('text', 'key', 'sha512'), 'hex');
select count(*) from customer where name ~ '([0-9a-f])\1\1';
select factorial(60), sqrt(2::numeric(60,50)), exp(1::numeric(40,35));
select md5(xmlelement(name a, xmlagg(xmlelement(name b, id) order by id))::text) from customer;

\echo changes
begin;
savepoint a;
update item set price = price + 1 where id % 10 = 0;
delete from item where id % 10 = 1;
rollback to a;
update item set price = price * 2 where id % 10 = 2;
commit;
merge into item using (select 30001 + g as id, 1 + g as customer from generate_series(0, 99) g) n on item.id = n.id
	when matched then do nothing when not matched then insert (id, customer, price) values (n.id, n.customer, 1);
cluster item using item_customer_at_idx;
vacuum full item;
reindex table item;
select count(*), sum(price), md5(string_agg(item::text, ';' order by id)) from item;
