-- Times are nanoseconds since 1970 in UTC, 0 for none. Documents are the JSON of package andon.

-- The last event that is in here: its position, and a hash by which another journal is noticed.
CREATE TABLE position (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, print BLOB NOT NULL) STRICT;
INSERT INTO position (id, seq, print) VALUES (1, 0, x'');

CREATE TABLE service (
    name TEXT PRIMARY KEY, url TEXT NOT NULL, trunk TEXT NOT NULL,
    added INTEGER NOT NULL, added_by TEXT NOT NULL, removed INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '',
    newest INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE environment (
    name TEXT PRIMARY KEY, declared INTEGER NOT NULL, removed INTEGER NOT NULL DEFAULT 0, doc TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Thousands of versions share a pipeline, so it is stored once.
CREATE TABLE pipeline (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, doc TEXT NOT NULL) STRICT;

CREATE TABLE version (
    service TEXT NOT NULL, number INTEGER NOT NULL,
    commit_id TEXT NOT NULL, parent TEXT NOT NULL, branch TEXT NOT NULL, trunk INTEGER NOT NULL,
    author TEXT NOT NULL, subject TEXT NOT NULL, committed INTEGER NOT NULL,
    created INTEGER NOT NULL, created_by TEXT NOT NULL,
    pipeline INTEGER REFERENCES pipeline (id), problem TEXT,
    maturity TEXT NOT NULL, artifact TEXT NOT NULL DEFAULT '', size INTEGER NOT NULL DEFAULT 0,
    ended INTEGER NOT NULL DEFAULT 0, outcome TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
    superseded_by INTEGER NOT NULL DEFAULT 0,
    swept INTEGER NOT NULL DEFAULT 0,
    place_in_trunk INTEGER NOT NULL DEFAULT 0, -- rises along the trunk; 0: not on it
    delivered INTEGER NOT NULL DEFAULT 0,      -- whether production has had it, or a later one of the trunk
    PRIMARY KEY (service, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX version_by_commit ON version (commit_id, service);
CREATE INDEX version_by_branch ON version (service, branch, number);
CREATE INDEX version_by_maturity ON version (service, maturity, number);
CREATE INDEX version_by_artifact ON version (artifact, service) WHERE artifact <> '';
CREATE INDEX version_undelivered ON version (service, place_in_trunk, created) WHERE place_in_trunk > 0 AND delivered = 0;
CREATE INDEX version_unswept ON version (service, number) WHERE swept = 0;

-- What versions are searched by: the tickets that their messages name, and the words of authors and
-- messages. seq is of the event that made the version.
CREATE TABLE ticket (
    ticket TEXT NOT NULL, seq INTEGER NOT NULL, service TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (ticket, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX ticket_by_version ON ticket (service, number);
CREATE TABLE mention (seq INTEGER PRIMARY KEY, service TEXT NOT NULL, number INTEGER NOT NULL) STRICT;
CREATE VIRTUAL TABLE words USING fts5 (author, subject, content = '', detail = column, prefix = '2 3', tokenize = 'unicode61 remove_diacritics 2');

CREATE TABLE maturity (
    seq INTEGER PRIMARY KEY, service TEXT NOT NULL, number INTEGER NOT NULL,
    at INTEGER NOT NULL, by TEXT NOT NULL, from_maturity TEXT NOT NULL, to_maturity TEXT NOT NULL, reason TEXT NOT NULL
) STRICT;
CREATE INDEX maturity_by_version ON maturity (service, number);
CREATE INDEX maturity_by_time ON maturity (to_maturity, at);

CREATE TABLE stage (
    seq INTEGER PRIMARY KEY, service TEXT NOT NULL, number INTEGER NOT NULL, stage TEXT NOT NULL, run INTEGER NOT NULL,
    started INTEGER NOT NULL, finished INTEGER NOT NULL DEFAULT 0, took INTEGER NOT NULL DEFAULT 0,
    outcome TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', slow INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX stage_by_version ON stage (service, number, stage, run);

CREATE INDEX stage_by_end ON stage (finished, service) WHERE finished > 0;

CREATE TABLE admission (
    seq INTEGER PRIMARY KEY, service TEXT NOT NULL, number INTEGER NOT NULL, stage TEXT NOT NULL,
    at INTEGER NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL
) STRICT;
CREATE INDEX admission_by_version ON admission (service, number);

CREATE TABLE task (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, service TEXT NOT NULL, number INTEGER NOT NULL,
    stage TEXT NOT NULL, run INTEGER NOT NULL, job TEXT NOT NULL, deployment TEXT NOT NULL, instance TEXT NOT NULL,
    seq INTEGER NOT NULL, queued INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0,
    outcome TEXT NOT NULL DEFAULT '', cancelled TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX task_by_version ON task (service, number, seq);
CREATE INDEX task_by_deployment ON task (deployment, seq) WHERE deployment <> '';

CREATE TABLE attempt (
    task TEXT NOT NULL, attempt INTEGER NOT NULL, agent TEXT NOT NULL, leased INTEGER NOT NULL,
    started INTEGER NOT NULL DEFAULT 0, ended INTEGER NOT NULL DEFAULT 0, result TEXT,
    PRIMARY KEY (task, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE deployment (
    id TEXT PRIMARY KEY, seq INTEGER NOT NULL, service TEXT NOT NULL, environment TEXT NOT NULL, version INTEGER NOT NULL,
    kind TEXT NOT NULL, artifact TEXT NOT NULL, plan TEXT NOT NULL,
    planned INTEGER NOT NULL, started INTEGER NOT NULL DEFAULT 0, ended INTEGER NOT NULL DEFAULT 0,
    step TEXT NOT NULL DEFAULT '', outcome TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', ledger TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX deployment_by_seq ON deployment (seq);
CREATE INDEX deployment_by_place ON deployment (service, environment, seq);
CREATE INDEX deployment_by_environment ON deployment (environment, seq);
CREATE INDEX deployment_by_version ON deployment (service, version, seq);
CREATE INDEX deployment_by_outcome ON deployment (environment, kind, outcome) WHERE ended > 0;

-- The deployments to production that ended, what became of each that was no rollback (see
-- metrics.Rollouts), and what practices are judged from (see metrics.Delivery), as it was then.
CREATE TABLE rollout (
    seq INTEGER PRIMARY KEY, deployment TEXT NOT NULL, service TEXT NOT NULL, environment TEXT NOT NULL,
    version INTEGER NOT NULL, kind TEXT NOT NULL, outcome TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL,
    failed INTEGER NOT NULL DEFAULT 0, recovered INTEGER NOT NULL DEFAULT 0, rework INTEGER NOT NULL DEFAULT 0,
    by_stage INTEGER NOT NULL, same_digest INTEGER NOT NULL, rehearsed INTEGER NOT NULL, accepted INTEGER NOT NULL,
    smoked INTEGER NOT NULL, changes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX rollout_by_place ON rollout (service, environment, seq);
CREATE INDEX rollout_by_end ON rollout (ended, service);

-- The changes that production has, with how their lead time divides: see metrics.Trace. Portions
-- are the legs added up, one "stage,cause,nanoseconds" after the other: what is read at each start.
CREATE TABLE change (
    service TEXT NOT NULL, number INTEGER NOT NULL, delivered INTEGER NOT NULL, version INTEGER NOT NULL, deployment TEXT NOT NULL,
    lead INTEGER NOT NULL, portions TEXT NOT NULL, legs TEXT NOT NULL,
    PRIMARY KEY (service, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX change_by_time ON change (delivered, service, lead);

-- What each agent's proxy counted for a deployment, as last attested; deployment.ledger is the sum.
CREATE TABLE ledger (
    deployment TEXT NOT NULL, agent TEXT NOT NULL, doc TEXT NOT NULL,
    PRIMARY KEY (deployment, agent)
) STRICT, WITHOUT ROWID;

-- The newest good deployment of each version to each place: seq is of the event that ended it.
CREATE TABLE good (
    service TEXT NOT NULL, environment TEXT NOT NULL, version INTEGER NOT NULL, seq INTEGER NOT NULL, deployment TEXT NOT NULL,
    PRIMARY KEY (service, environment, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX good_by_seq ON good (service, environment, seq);
CREATE INDEX good_by_version ON good (service, version);

CREATE TABLE deployment_step (
    seq INTEGER PRIMARY KEY, deployment TEXT NOT NULL, step TEXT NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL
) STRICT;
CREATE INDEX deployment_step_by_deployment ON deployment_step (deployment);

-- What the comparison of a deployment's new copies with the old ones found, when it changed.
CREATE TABLE verdict (seq INTEGER PRIMARY KEY, deployment TEXT NOT NULL, at INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE INDEX verdict_by_deployment ON verdict (deployment);

-- The share of the requests that a deployment's group was to get: ours of all, from that time on.
CREATE TABLE share (seq INTEGER PRIMARY KEY, deployment TEXT NOT NULL, at INTEGER NOT NULL, ours INTEGER NOT NULL, whole INTEGER NOT NULL) STRICT;
CREATE INDEX share_by_deployment ON share (deployment);

CREATE TABLE copy (
    id TEXT PRIMARY KEY, grp TEXT NOT NULL, agent TEXT NOT NULL,
    service TEXT NOT NULL, environment TEXT NOT NULL, version INTEGER NOT NULL, placed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX copy_by_group ON copy (grp);
CREATE INDEX copy_by_version ON copy (service, version);

CREATE TABLE live (
    service TEXT NOT NULL, environment TEXT NOT NULL, version INTEGER NOT NULL, artifact TEXT NOT NULL,
    grp TEXT NOT NULL, deployment TEXT NOT NULL, since INTEGER NOT NULL, release TEXT NOT NULL,
    PRIMARY KEY (service, environment)
) STRICT, WITHOUT ROWID;

CREATE TABLE cord (
    id TEXT PRIMARY KEY, seq INTEGER NOT NULL, scope TEXT NOT NULL, environment TEXT NOT NULL, service TEXT NOT NULL,
    pulled INTEGER NOT NULL, doc TEXT NOT NULL,
    released INTEGER NOT NULL DEFAULT 0, released_by TEXT NOT NULL DEFAULT '',
    release_reason TEXT NOT NULL DEFAULT '', version INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX cord_by_seq ON cord (seq);
CREATE INDEX cord_by_service ON cord (service, pulled);
CREATE INDEX cord_open ON cord (seq) WHERE released = 0;

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, by TEXT NOT NULL, name TEXT NOT NULL,
    service TEXT NOT NULL, version INTEGER NOT NULL, environment TEXT NOT NULL, sentence TEXT NOT NULL,
    change INTEGER NOT NULL -- whether it changed what runs, or could
) STRICT;
CREATE INDEX audit_by_service ON audit (service, seq) WHERE service <> '';
CREATE INDEX audit_of_changes ON audit (seq) WHERE change = 1;
