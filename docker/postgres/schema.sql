-- One database for the whole platform, as small hosted PBXs have it: accounts, Asterisk's realtime tables, registrations, call records.

CREATE TABLE tenant (
  domain text PRIMARY KEY,
  call_cap integer NOT NULL
);

-- Kamailio's auth_db reads username, domain, password.
CREATE TABLE subscriber (
  domain text NOT NULL REFERENCES tenant,
  username text NOT NULL,
  password text NOT NULL,
  PRIMARY KEY (domain, username)
);

-- Kamailio copies these two into memory (htable): key_type and value_type 0 are text.
CREATE VIEW htable_secret AS
  SELECT username || '@' || domain AS key_name, 0 AS key_type, 0 AS value_type, password AS key_value, 0 AS expires FROM subscriber;
CREATE VIEW htable_cap AS
  SELECT domain AS key_name, 0 AS key_type, 0 AS value_type, call_cap::text AS key_value, 0 AS expires FROM tenant;

-- Asterisk's realtime: an endpoint for each phone, reached through the edge. There ^3B is a semicolon, which would separate two values.
-- Asterisk asks for all columns of its own (mailboxes) at the start.
CREATE VIEW ps_endpoints AS
  SELECT split_part(domain, '.', 1) || '-' || username AS id,
         'from-edge' AS context, 'all' AS disallow, 'ulaw,alaw' AS allow, 'no' AS direct_media, 'yes' AS rtp_symmetric,
         '30' AS rtp_timeout, 'sip:' || current_setting('deadair.edge') || ':5060^3Blr' AS outbound_proxy,
         '' AS mailboxes
  FROM subscriber;

-- Kamailio checks its tables' layouts against these numbers.
CREATE TABLE version (table_name text PRIMARY KEY, table_version integer NOT NULL);
INSERT INTO version VALUES ('subscriber', 7), ('location', 9), ('htable', 2);

-- usrloc, layout 9 (Kamailio 5.6): registrations, where the edge writes them through (db_mode 1).
CREATE TABLE location (
  id serial PRIMARY KEY,
  ruid varchar(64) DEFAULT '' NOT NULL UNIQUE,
  username varchar(64) DEFAULT '' NOT NULL,
  domain varchar(64) DEFAULT NULL,
  contact varchar(512) DEFAULT '' NOT NULL,
  received varchar(128) DEFAULT NULL,
  path varchar(512) DEFAULT NULL,
  expires timestamp DEFAULT '2030-05-28 21:32:15' NOT NULL,
  q real DEFAULT 1.0 NOT NULL,
  callid varchar(255) DEFAULT 'Default-Call-ID' NOT NULL,
  cseq integer DEFAULT 1 NOT NULL,
  last_modified timestamp DEFAULT '2000-01-01 00:00:01' NOT NULL,
  flags integer DEFAULT 0 NOT NULL,
  cflags integer DEFAULT 0 NOT NULL,
  user_agent varchar(255) DEFAULT '' NOT NULL,
  socket varchar(64) DEFAULT NULL,
  methods integer DEFAULT NULL,
  instance varchar(255) DEFAULT NULL,
  reg_id integer DEFAULT 0 NOT NULL,
  server_id integer DEFAULT 0 NOT NULL,
  connection_id integer DEFAULT 0 NOT NULL,
  keepalive integer DEFAULT 0 NOT NULL,
  partition integer DEFAULT 0 NOT NULL
);
CREATE INDEX location_account ON location (username, domain, contact);
CREATE INDEX location_expires ON location (expires);

-- Call records. Asterisk's cdr_pgsql fills the columns that it knows by name; the cdr-writer fills call_id and the next
-- four, src, dst, and in dcontext the leg: from-phone or to-phone.
CREATE TABLE cdr (
  id bigserial PRIMARY KEY,
  call_id text UNIQUE,
  tenant text,
  started timestamptz,
  answered timestamptz,
  ended timestamptz,
  calldate timestamptz,
  clid text,
  src text,
  dst text,
  dcontext text,
  channel text,
  dstchannel text,
  lastapp text,
  lastdata text,
  duration integer,
  billsec integer,
  disposition text,
  amaflags integer,
  accountcode text,
  uniqueid text,
  userfield text
);
