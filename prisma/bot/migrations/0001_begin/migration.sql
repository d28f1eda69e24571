-- CreateTable
CREATE TABLE "Setting" (
    "key" TEXT NOT NULL PRIMARY KEY,
    "value" TEXT NOT NULL
);

-- CreateTable
CREATE TABLE "Hamlet" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "name" TEXT NOT NULL
);

-- CreateTable
CREATE TABLE "Person" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "alias" TEXT,
    "name" TEXT NOT NULL,
    "role" TEXT NOT NULL DEFAULT 'guest',
    "hamletId" INTEGER,
    "phoneSealed" TEXT,
    "createdMs" BIGINT NOT NULL,
    "removedMs" BIGINT,
    CONSTRAINT "Person_hamletId_fkey" FOREIGN KEY ("hamletId") REFERENCES "Hamlet" ("id") ON DELETE SET NULL ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Address" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "channel" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "personId" INTEGER NOT NULL,
    "displayName" TEXT NOT NULL,
    "privateChatId" TEXT,
    "blockedMs" BIGINT,
    "createdMs" BIGINT NOT NULL,
    CONSTRAINT "Address_personId_fkey" FOREIGN KEY ("personId") REFERENCES "Person" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Group" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "channel" TEXT NOT NULL,
    "chatId" TEXT NOT NULL,
    "title" TEXT NOT NULL,
    "purpose" TEXT,
    "hamletId" INTEGER,
    "boundMs" BIGINT,
    "boundById" INTEGER,
    "leftMs" BIGINT,
    CONSTRAINT "Group_hamletId_fkey" FOREIGN KEY ("hamletId") REFERENCES "Hamlet" ("id") ON DELETE SET NULL ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Site" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "name" TEXT NOT NULL,
    "hamletId" INTEGER,
    "latitude" REAL,
    "longitude" REAL,
    CONSTRAINT "Site_hamletId_fkey" FOREIGN KEY ("hamletId") REFERENCES "Hamlet" ("id") ON DELETE SET NULL ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Camera" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "number" INTEGER NOT NULL,
    "recorderId" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "siteId" INTEGER,
    "householdName" TEXT,
    "householdPhoneSealed" TEXT,
    "consentMs" BIGINT,
    "line" TEXT,
    "switch" TEXT,
    "removedMs" BIGINT,
    CONSTRAINT "Camera_siteId_fkey" FOREIGN KEY ("siteId") REFERENCES "Site" ("id") ON DELETE SET NULL ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Assignment" (
    "personId" INTEGER NOT NULL,
    "cameraId" INTEGER NOT NULL,

    PRIMARY KEY ("personId", "cameraId"),
    CONSTRAINT "Assignment_personId_fkey" FOREIGN KEY ("personId") REFERENCES "Person" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "Assignment_cameraId_fkey" FOREIGN KEY ("cameraId") REFERENCES "Camera" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Invitation" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "codeHash" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "hamletId" INTEGER,
    "maxUses" INTEGER NOT NULL,
    "used" INTEGER NOT NULL DEFAULT 0,
    "createdMs" BIGINT NOT NULL,
    "expiresMs" BIGINT NOT NULL,
    "revokedMs" BIGINT,
    "createdById" INTEGER
);

-- CreateTable
CREATE TABLE "Inbox" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "channel" TEXT NOT NULL,
    "chatId" TEXT NOT NULL,
    "externalId" TEXT NOT NULL,
    "payload" TEXT NOT NULL,
    "receivedMs" BIGINT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'waiting',
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "progress" INTEGER NOT NULL DEFAULT 0,
    "doneMs" BIGINT
);

-- CreateTable
CREATE TABLE "Effect" (
    "inboxId" INTEGER NOT NULL,
    "name" TEXT NOT NULL,
    "result" TEXT NOT NULL,

    PRIMARY KEY ("inboxId", "name"),
    CONSTRAINT "Effect_inboxId_fkey" FOREIGN KEY ("inboxId") REFERENCES "Inbox" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Outbox" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "key" TEXT NOT NULL,
    "channel" TEXT NOT NULL,
    "chatId" TEXT NOT NULL,
    "payload" TEXT NOT NULL,
    "priority" INTEGER NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'waiting',
    "inboxId" INTEGER,
    "digest" TEXT,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "createdMs" BIGINT NOT NULL,
    "nextMs" BIGINT NOT NULL,
    "doneMs" BIGINT,
    "sentIds" TEXT,
    "error" TEXT
);

-- CreateTable
CREATE TABLE "Pending" (
    "channel" TEXT NOT NULL,
    "chatId" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "payload" TEXT NOT NULL,
    "expiresMs" BIGINT NOT NULL,

    PRIMARY KEY ("channel", "chatId", "userId")
);

-- CreateTable
CREATE TABLE "Audit" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "atMs" BIGINT NOT NULL,
    "personId" INTEGER,
    "personName" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "cameraId" INTEGER,
    "startMs" BIGINT,
    "endMs" BIGINT,
    "place" TEXT NOT NULL,
    "result" TEXT NOT NULL,
    "detail" TEXT
);

-- CreateTable
CREATE TABLE "Report" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "code" TEXT NOT NULL,
    "personId" INTEGER NOT NULL,
    "inboxId" INTEGER NOT NULL,
    "text" TEXT NOT NULL,
    "latitude" REAL,
    "longitude" REAL,
    "receivedMs" BIGINT NOT NULL,
    CONSTRAINT "Report_personId_fkey" FOREIGN KEY ("personId") REFERENCES "Person" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "ReportFile" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "reportId" INTEGER NOT NULL,
    "path" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "mime" TEXT NOT NULL,
    "sizeBytes" INTEGER NOT NULL,
    "sha256" TEXT NOT NULL,
    CONSTRAINT "ReportFile_reportId_fkey" FOREIGN KEY ("reportId") REFERENCES "Report" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Donation" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "donorName" TEXT NOT NULL,
    "donorId" INTEGER,
    "amountDong" BIGINT NOT NULL,
    "recordedMs" BIGINT NOT NULL,
    "recordedById" INTEGER NOT NULL,
    "inboxId" INTEGER NOT NULL,
    CONSTRAINT "Donation_donorId_fkey" FOREIGN KEY ("donorId") REFERENCES "Person" ("id") ON DELETE SET NULL ON UPDATE CASCADE
);

-- CreateTable
CREATE TABLE "Token" (
    "hash" TEXT NOT NULL PRIMARY KEY,
    "kind" TEXT NOT NULL,
    "personId" INTEGER,
    "payload" TEXT NOT NULL,
    "createdMs" BIGINT NOT NULL,
    "expiresMs" BIGINT NOT NULL,
    "usedMs" BIGINT,
    "revokedMs" BIGINT
);

-- CreateTable
CREATE TABLE "Session" (
    "hash" TEXT NOT NULL PRIMARY KEY,
    "personId" INTEGER NOT NULL,
    "csrf" TEXT NOT NULL,
    "createdMs" BIGINT NOT NULL,
    "expiresMs" BIGINT NOT NULL,
    "endedMs" BIGINT
);

-- CreateTable
CREATE TABLE "Outage" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "cameraId" INTEGER NOT NULL,
    "sinceMs" BIGINT NOT NULL,
    "reason" TEXT NOT NULL,
    "toldMs" BIGINT,
    "backMs" BIGINT,
    "toldBackMs" BIGINT
);

-- CreateTable
CREATE TABLE "ConsoleMessage" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "chatId" TEXT NOT NULL,
    "fromId" TEXT,
    "fromName" TEXT,
    "payload" TEXT NOT NULL,
    "sentMs" BIGINT NOT NULL,
    "inboxId" INTEGER
);

-- CreateTable
CREATE TABLE "ButtonText" (
    "key" TEXT NOT NULL PRIMARY KEY,
    "says" TEXT NOT NULL,
    "createdMs" BIGINT NOT NULL
);

-- CreateIndex
CREATE UNIQUE INDEX "Hamlet_name_key" ON "Hamlet"("name");

-- CreateIndex
CREATE UNIQUE INDEX "Person_alias_key" ON "Person"("alias");

-- CreateIndex
CREATE INDEX "Address_personId_idx" ON "Address"("personId");

-- CreateIndex
CREATE UNIQUE INDEX "Address_channel_userId_key" ON "Address"("channel", "userId");

-- CreateIndex
CREATE UNIQUE INDEX "Group_channel_chatId_key" ON "Group"("channel", "chatId");

-- CreateIndex
CREATE UNIQUE INDEX "Camera_number_key" ON "Camera"("number");

-- CreateIndex
CREATE UNIQUE INDEX "Camera_recorderId_key" ON "Camera"("recorderId");

-- CreateIndex
CREATE UNIQUE INDEX "Invitation_codeHash_key" ON "Invitation"("codeHash");

-- CreateIndex
CREATE INDEX "Inbox_state_id_idx" ON "Inbox"("state", "id");

-- CreateIndex
CREATE UNIQUE INDEX "Inbox_channel_externalId_key" ON "Inbox"("channel", "externalId");

-- CreateIndex
CREATE UNIQUE INDEX "Outbox_key_key" ON "Outbox"("key");

-- CreateIndex
CREATE INDEX "Outbox_state_priority_nextMs_idx" ON "Outbox"("state", "priority", "nextMs");

-- CreateIndex
CREATE INDEX "Outbox_inboxId_idx" ON "Outbox"("inboxId");

-- CreateIndex
CREATE INDEX "Audit_atMs_idx" ON "Audit"("atMs");

-- CreateIndex
CREATE UNIQUE INDEX "Report_code_key" ON "Report"("code");

-- CreateIndex
CREATE UNIQUE INDEX "Report_inboxId_key" ON "Report"("inboxId");

-- CreateIndex
CREATE UNIQUE INDEX "Donation_inboxId_key" ON "Donation"("inboxId");

-- CreateIndex
CREATE INDEX "Outage_cameraId_backMs_idx" ON "Outage"("cameraId", "backMs");

-- CreateIndex
CREATE INDEX "ConsoleMessage_chatId_id_idx" ON "ConsoleMessage"("chatId", "id");

