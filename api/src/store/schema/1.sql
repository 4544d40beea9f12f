-- One text for SQLite and PostgreSQL: BLOB is BYTEA there, SERIAL PRIMARY KEY is INTEGER PRIMARY KEY AUTOINCREMENT here.
-- Numbers are BIGINT, times Unix milliseconds, bodies JSON in TEXT. Statements end with a semicolon at the end of a line.

-- small facts of the whole store: `epoch`, signing keys
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

-- one row: the number of the last event; its lock is what makes one writer of several processes
CREATE TABLE head (
  id BIGINT PRIMARY KEY,
  seq BIGINT NOT NULL
);
INSERT INTO head (id, seq) VALUES (1, 0);

-- the bus, as far back as it is kept; `app` and `node` are those of the entity, for the timeline's filters
CREATE TABLE events (
  seq BIGINT PRIMARY KEY,
  time BIGINT NOT NULL,
  type TEXT NOT NULL,
  subject TEXT NOT NULL,
  actor TEXT NOT NULL,
  cause TEXT NOT NULL,
  payload TEXT NOT NULL,
  app TEXT,
  node TEXT
);
CREATE INDEX events_app ON events (app, seq);
CREATE INDEX events_node ON events (node, seq);

-- the state that the events up to `head` have made
CREATE TABLE apps (
  id TEXT PRIMARY KEY,
  body TEXT NOT NULL
);
CREATE TABLE nodes (
  name TEXT PRIMARY KEY,
  body TEXT NOT NULL
);
-- `gone` is the number of the event that ended it, 0 while it lives: a key that is used again keeps its past
CREATE TABLE instances (
  key TEXT NOT NULL,
  gone BIGINT NOT NULL,
  id TEXT NOT NULL,
  app TEXT NOT NULL,
  node TEXT,
  state TEXT NOT NULL,
  ended_at BIGINT,
  body TEXT NOT NULL,
  PRIMARY KEY (key, gone)
);
CREATE INDEX instances_gone ON instances (gone);
CREATE INDEX instances_app ON instances (app, gone);
CREATE INDEX instances_node ON instances (node, gone);
CREATE INDEX instances_id ON instances (id);

-- the last report of each agent, so that a restart of the centre forgets nobody
CREATE TABLE agents (
  node TEXT NOT NULL,
  agent TEXT NOT NULL,
  run TEXT NOT NULL,
  report TEXT NOT NULL,
  digest TEXT NOT NULL,
  last_seen BIGINT NOT NULL,
  PRIMARY KEY (node, agent)
);

-- which process does what only one may do
CREATE TABLE leases (
  name TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  expires BIGINT NOT NULL
);

-- access: only hashes of what is secret
CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  hash TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL,
  apps TEXT NOT NULL,
  node TEXT,
  topics TEXT,
  created BIGINT NOT NULL,
  expires BIGINT,
  last_used BIGINT
);
CREATE TABLE sessions (
  hash TEXT PRIMARY KEY,
  token_id TEXT NOT NULL,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL
);
CREATE INDEX sessions_token ON sessions (token_id);
CREATE TABLE sign_ins (
  hash TEXT PRIMARY KEY,
  token_id TEXT NOT NULL,
  expires BIGINT NOT NULL
);
CREATE TABLE audit (
  id SERIAL PRIMARY KEY,
  time BIGINT NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  cause TEXT NOT NULL,
  before TEXT,
  after TEXT,
  address TEXT
);
CREATE INDEX audit_time ON audit (time);

-- answers to mutations that came with an Idempotency-Key; one key belongs to one actor
CREATE TABLE idempotency (
  key TEXT NOT NULL,
  actor TEXT NOT NULL,
  path TEXT NOT NULL,
  status BIGINT NOT NULL,
  body TEXT NOT NULL,
  time BIGINT NOT NULL,
  PRIMARY KEY (actor, key)
);
CREATE INDEX idempotency_time ON idempotency (time);
