PRAGMA user_version=1;
BEGIN TRANSACTION;
CREATE TABLE answers (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, ended REAL NOT NULL,
                      application INTEGER NOT NULL, status TEXT NOT NULL, body TEXT NOT NULL);
INSERT INTO "answers" VALUES(1,'01a227b06e97c2e09814770a7453',1.79596220594710421561e+09,9,'ok','{"f":"langchain","h":"host.example.org","fv":"1.8.3","v":"1","r":[{"ms":1839,"t":6,"x":1,"e":4,"c":[["83ba6e7fb73df6b57d9c17518e475549c8d61d6ff6a835583cb68e5751b87738",0.382279,5,"3622","01a227ad2299f19bdb8304437ed3",null],["fc28c69b808c656ad8afdb4d1f18294a2e8f577942e0f9e8516e8fc97898df27",0.393023,5,"1915","01a227ad2299f19bdb8304437ed3",null]]}],"p":[7],"m":[{"ms":3,"a":8,"p":0}],"q":"5bf32be41b184fdc488a9470bec50c98"}');
CREATE TABLE chunks (target INTEGER NOT NULL, chunk BLOB NOT NULL, run INTEGER NOT NULL,
                     PRIMARY KEY (target, chunk)) WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE identities (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL, seen INTEGER NOT NULL,
                         UNIQUE (kind, body));
INSERT INTO "identities" VALUES(1,'index','{"collection":"docs","database":"default_database","path":"/srv/demo/chroma","platform":"chroma","tenant":"default_tenant"}',20786);
INSERT INTO "identities" VALUES(2,'application','{"name":"knowledge-base"}',20786);
INSERT INTO "identities" VALUES(3,'run','{"run":"01a227ad2299f19bdb8304437ed3"}',20786);
INSERT INTO "identities" VALUES(4,'embedding','{"class":"stand_ins.HashingEmbeddings"}',20786);
INSERT INTO "identities" VALUES(5,'source','{"fields":"doc","urn":"urn:li:dataset:(urn:li:dataPlatform:sqlite,main.entry_docs,PROD)"}',20786);
INSERT INTO "identities" VALUES(6,'retriever','{"class":"langchain_core.VectorStoreRetriever","k":2,"search_type":"similarity"}',20786);
INSERT INTO "identities" VALUES(7,'prompt','{"digest":"718cffc7ede567288a69d650737276c1dd6e6a75d1d1491db0d12b6de024e5a7","format":"f-string","name":"answer-from-docs","registry":"custom","variables":"context, question","version":"1"}',20786);
INSERT INTO "identities" VALUES(8,'model','{"name":"first-passage","provider":"custom"}',20786);
INSERT INTO "identities" VALUES(9,'application','{"name":"docs-bot"}',20786);
INSERT INTO "identities" VALUES(10,'retriever','{"class":"llama_index.VectorIndexRetriever","index_id":"5576bec3-728a-4400-a682-e4b18ceaba1a","k":2,"search_type":"default"}',20786);
INSERT INTO "identities" VALUES(11,'embedding','{"class":"__main__.HashedByLlamaIndex"}',20786);
INSERT INTO "identities" VALUES(12,'prompt','{"digest":"4c26a2e9ed471ee4de1939730d9d18e6f2126440b914c5695b7965c852a12efe","name":"answer-from-docs","registry":"custom","variables":"context_str, query_str","version":"1"}',20786);
CREATE TABLE texts (digest BLOB NOT NULL, id TEXT NOT NULL, PRIMARY KEY (digest, id)) WITHOUT ROWID;
CREATE TABLE writes (seq INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL UNIQUE, started REAL NOT NULL,
                     ended REAL NOT NULL, application INTEGER NOT NULL, target INTEGER NOT NULL, body TEXT NOT NULL);
INSERT INTO "writes" VALUES(8,3,1.7959619877375655174e+09,1.79596201758990073205e+09,2,1,'{"f":"langchain","h":"host.example.org","job":"embed-docs","flow":"knowledge-base","orchestrator":"airflow","namespace":"chroma/docs","e":4,"n":{"added":6480,"updated":0,"skipped":0},"s":{"5":6480}}');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('writes',8);
INSERT INTO "sqlite_sequence" VALUES('answers',4);
COMMIT;
