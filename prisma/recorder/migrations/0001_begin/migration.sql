-- CreateTable
CREATE TABLE "Setting" (
    "key" TEXT NOT NULL PRIMARY KEY,
    "value" TEXT NOT NULL
);

-- CreateTable
CREATE TABLE "Camera" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "urlSealed" TEXT NOT NULL,
    "subUrlSealed" TEXT,
    "transport" TEXT NOT NULL DEFAULT 'tcp',
    "audio" BOOLEAN NOT NULL DEFAULT false,
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "retentionDays" INTEGER,
    "createdMs" BIGINT NOT NULL,
    "removedMs" BIGINT
);

-- CreateTable
CREATE TABLE "Segment" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "cameraId" TEXT NOT NULL,
    "stream" TEXT NOT NULL,
    "startMs" BIGINT NOT NULL,
    "endMs" BIGINT NOT NULL,
    "path" TEXT NOT NULL,
    "sizeBytes" BIGINT NOT NULL,
    "codec" TEXT NOT NULL,
    "width" INTEGER NOT NULL,
    "height" INTEGER NOT NULL,
    "open" BOOLEAN NOT NULL DEFAULT false
);

-- CreateTable
CREATE TABLE "Gap" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "cameraId" TEXT NOT NULL,
    "stream" TEXT NOT NULL,
    "startMs" BIGINT NOT NULL,
    "endMs" BIGINT,
    "cause" TEXT NOT NULL
);

-- CreateTable
CREATE TABLE "Event" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "atMs" BIGINT NOT NULL,
    "kind" TEXT NOT NULL,
    "cameraId" TEXT,
    "payload" TEXT NOT NULL
);

-- CreateTable
CREATE TABLE "Deletion" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "atMs" BIGINT NOT NULL,
    "cameraId" TEXT NOT NULL,
    "stream" TEXT NOT NULL,
    "startMs" BIGINT NOT NULL,
    "endMs" BIGINT NOT NULL,
    "sizeBytes" BIGINT NOT NULL,
    "reason" TEXT NOT NULL
);

-- CreateIndex
CREATE UNIQUE INDEX "Segment_path_key" ON "Segment"("path");

-- CreateIndex
CREATE INDEX "Segment_cameraId_stream_startMs_idx" ON "Segment"("cameraId", "stream", "startMs");

-- CreateIndex
CREATE INDEX "Segment_startMs_idx" ON "Segment"("startMs");

-- CreateIndex
CREATE INDEX "Gap_cameraId_stream_startMs_idx" ON "Gap"("cameraId", "stream", "startMs");

-- CreateIndex
CREATE INDEX "Event_atMs_idx" ON "Event"("atMs");

-- CreateIndex
CREATE INDEX "Deletion_cameraId_stream_startMs_idx" ON "Deletion"("cameraId", "stream", "startMs");

