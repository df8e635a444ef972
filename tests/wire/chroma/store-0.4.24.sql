-- Written by chromadb 0.4.24, without the full-text index and the text of the migrations.
BEGIN TRANSACTION;
CREATE TABLE migrations (
                        dir TEXT NOT NULL,
                        version INTEGER NOT NULL,
                        filename TEXT NOT NULL,
                        sql TEXT NOT NULL,
                        hash TEXT NOT NULL,
                        PRIMARY KEY (dir, version)
                    );
INSERT INTO "migrations" VALUES('embeddings_queue', 1, '00001-embeddings.sqlite.sql', '', 'd3755dfd232be8e8301f4d7fcfb3a486');
INSERT INTO "migrations" VALUES('sysdb', 1, '00001-collections.sqlite.sql', '', '38352d725ad1c16074fac420b22b4633');
INSERT INTO "migrations" VALUES('sysdb', 2, '00002-segments.sqlite.sql', '', '2913cb6a503055a95f625448037e8912');
INSERT INTO "migrations" VALUES('sysdb', 3, '00003-collection-dimension.sqlite.sql', '', '42d22d0574d31d419c2a0e7f625c93aa');
INSERT INTO "migrations" VALUES('sysdb', 4, '00004-tenants-databases.sqlite.sql', '', '048867ce8fcdefe4023c7110e4433591');
INSERT INTO "migrations" VALUES('metadb', 1, '00001-embedding-metadata.sqlite.sql', '', '2b4cf52c4bb2676e21d6860a4409f856');
INSERT INTO "migrations" VALUES('metadb', 2, '00002-embedding-metadata.sqlite.sql', '', '12a570f7121b3a8ce750a2a7c36da20f');
INSERT INTO "migrations" VALUES('metadb', 3, '00003-full-text-tokenize.sqlite.sql', '', 'f97ad6334aeaa8f419f01110b648b97a');
CREATE TABLE embeddings_queue (
    seq_id INTEGER PRIMARY KEY,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    operation INTEGER NOT NULL,
    topic TEXT NOT NULL,
    id TEXT NOT NULL,
    vector BLOB,
    encoding TEXT,
    metadata TEXT
);
INSERT INTO "embeddings_queue" VALUES(1, '2026-11-24 02:32:38', 0, 'persistent://default/default/2c0a4dc6-cbce-4af9-80c2-731c975fcfd2', '1', X'0000803f0000004000004040', 'FLOAT32', '{"source": "s3://b/1", "page": 1, "chroma:document": "one"}');
INSERT INTO "embeddings_queue" VALUES(2, '2026-11-24 02:32:38', 0, 'persistent://default/default/2c0a4dc6-cbce-4af9-80c2-731c975fcfd2', '2', X'0000803f0000004000004040', 'FLOAT32', '{"source": "s3://b/1", "page": 2.5, "chroma:document": "two"}');
INSERT INTO "embeddings_queue" VALUES(3, '2026-11-24 02:32:38', 0, 'persistent://default/default/2c0a4dc6-cbce-4af9-80c2-731c975fcfd2', '3', X'0000803f0000004000004040', 'FLOAT32', '{"source": "s3://b/2", "ok": true, "chroma:document": "three"}');
CREATE TABLE collection_metadata (
    collection_id TEXT REFERENCES collections(id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    str_value TEXT,
    int_value INTEGER,
    float_value REAL,
    PRIMARY KEY (collection_id, key)
);
INSERT INTO "collection_metadata" VALUES('2c0a4dc6-cbce-4af9-80c2-731c975fcfd2', 'hnsw:space', 'cosine', NULL, NULL);
INSERT INTO "collection_metadata" VALUES('2c0a4dc6-cbce-4af9-80c2-731c975fcfd2', 'hnsw:M', NULL, 24, NULL);
CREATE TABLE segments (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    scope TEXT NOT NULL,
    topic TEXT,
    collection TEXT REFERENCES collection(id)
);
INSERT INTO "segments" VALUES('35045949-ff97-4c02-9d54-d7838b261c41', 'urn:chroma:segment/vector/hnsw-local-persisted', 'VECTOR', 'persistent://default/default/2c0a4dc6-cbce-4af9-80c2-731c975fcfd2', '2c0a4dc6-cbce-4af9-80c2-731c975fcfd2');
INSERT INTO "segments" VALUES('ed031c46-7424-424e-811d-71e3a85d9d3e', 'urn:chroma:segment/metadata/sqlite', 'METADATA', 'persistent://default/default/2c0a4dc6-cbce-4af9-80c2-731c975fcfd2', '2c0a4dc6-cbce-4af9-80c2-731c975fcfd2');
INSERT INTO "segments" VALUES('0ae0be45-d5d2-4662-8c72-d952e47b0f85', 'urn:chroma:segment/vector/hnsw-local-persisted', 'VECTOR', 'persistent://default/default/9a6fe614-d9f0-466b-9eb7-3100e2e39b59', '9a6fe614-d9f0-466b-9eb7-3100e2e39b59');
INSERT INTO "segments" VALUES('f10e86af-d592-4b65-9192-0b589097a023', 'urn:chroma:segment/metadata/sqlite', 'METADATA', 'persistent://default/default/9a6fe614-d9f0-466b-9eb7-3100e2e39b59', '9a6fe614-d9f0-466b-9eb7-3100e2e39b59');
CREATE TABLE segment_metadata (
    segment_id TEXT  REFERENCES segments(id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    str_value TEXT,
    int_value INTEGER,
    float_value REAL,
    PRIMARY KEY (segment_id, key)
);
INSERT INTO "segment_metadata" VALUES('35045949-ff97-4c02-9d54-d7838b261c41', 'hnsw:space', 'cosine', NULL, NULL);
INSERT INTO "segment_metadata" VALUES('35045949-ff97-4c02-9d54-d7838b261c41', 'hnsw:M', NULL, 24, NULL);
CREATE TABLE tenants (
    id TEXT PRIMARY KEY,
    UNIQUE (id)
);
INSERT INTO "tenants" VALUES('default_tenant');
CREATE TABLE databases (
    id TEXT PRIMARY KEY, -- unique globally
    name TEXT NOT NULL, -- unique per tenant
    tenant_id TEXT NOT NULL REFERENCES tenants(id) ON DELETE CASCADE,
    UNIQUE (tenant_id, name) -- Ensure that a tenant has only one database with a given name
);
INSERT INTO "databases" VALUES('00000000-0000-0000-0000-000000000000', 'default_database', 'default_tenant');
CREATE TABLE "collections" (
    id TEXT PRIMARY KEY, -- unique globally
    name TEXT NOT NULL, -- unique per database
    topic TEXT NOT NULL,
    dimension INTEGER,
    database_id TEXT NOT NULL REFERENCES databases(id) ON DELETE CASCADE,
    UNIQUE (name, database_id)
);
INSERT INTO "collections" VALUES('2c0a4dc6-cbce-4af9-80c2-731c975fcfd2', 'docs', 'persistent://default/default/2c0a4dc6-cbce-4af9-80c2-731c975fcfd2', 3, '00000000-0000-0000-0000-000000000000');
INSERT INTO "collections" VALUES('9a6fe614-d9f0-466b-9eb7-3100e2e39b59', 'plain', 'persistent://default/default/9a6fe614-d9f0-466b-9eb7-3100e2e39b59', NULL, '00000000-0000-0000-0000-000000000000');
CREATE TABLE embeddings (
    id INTEGER PRIMARY KEY,
    segment_id TEXT NOT NULL,
    embedding_id TEXT NOT NULL,
    seq_id BLOB NOT NULL,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (segment_id, embedding_id)
);
INSERT INTO "embeddings" VALUES(1, 'ed031c46-7424-424e-811d-71e3a85d9d3e', '1', X'0000000000000001', '2026-11-24 02:32:38');
INSERT INTO "embeddings" VALUES(2, 'ed031c46-7424-424e-811d-71e3a85d9d3e', '2', X'0000000000000002', '2026-11-24 02:32:38');
INSERT INTO "embeddings" VALUES(3, 'ed031c46-7424-424e-811d-71e3a85d9d3e', '3', X'0000000000000003', '2026-11-24 02:32:38');
CREATE TABLE embedding_metadata (
    id INTEGER REFERENCES embeddings(id),
    key TEXT NOT NULL,
    string_value TEXT,
    int_value INTEGER,
    float_value REAL, bool_value INTEGER,
    PRIMARY KEY (id, key)
);
INSERT INTO "embedding_metadata" VALUES(1, 'source', 's3://b/1', NULL, NULL, NULL);
INSERT INTO "embedding_metadata" VALUES(1, 'page', NULL, 1, NULL, NULL);
INSERT INTO "embedding_metadata" VALUES(1, 'chroma:document', 'one', NULL, NULL, NULL);
INSERT INTO "embedding_metadata" VALUES(2, 'source', 's3://b/1', NULL, NULL, NULL);
INSERT INTO "embedding_metadata" VALUES(2, 'page', NULL, NULL, 2.5, NULL);
INSERT INTO "embedding_metadata" VALUES(2, 'chroma:document', 'two', NULL, NULL, NULL);
INSERT INTO "embedding_metadata" VALUES(3, 'source', 's3://b/2', NULL, NULL, NULL);
INSERT INTO "embedding_metadata" VALUES(3, 'ok', NULL, NULL, NULL, 1);
INSERT INTO "embedding_metadata" VALUES(3, 'chroma:document', 'three', NULL, NULL, NULL);
CREATE TABLE max_seq_id (
    segment_id TEXT PRIMARY KEY,
    seq_id BLOB NOT NULL
);
INSERT INTO "max_seq_id" VALUES('ed031c46-7424-424e-811d-71e3a85d9d3e', X'0000000000000003');
COMMIT;
