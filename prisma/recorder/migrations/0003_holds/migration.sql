-- CreateTable
CREATE TABLE "Hold" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "rank" TEXT NOT NULL,
    "cameraId" TEXT NOT NULL,
    "streams" TEXT NOT NULL,
    "startMs" BIGINT NOT NULL,
    "endMs" BIGINT NOT NULL,
    "by" TEXT NOT NULL,
    "why" TEXT NOT NULL,
    "createdMs" BIGINT NOT NULL,
    "untilMs" BIGINT,
    "releasedMs" BIGINT,
    "releasedBy" TEXT,
    "releasedWhy" TEXT
);

-- CreateIndex
CREATE INDEX "Hold_cameraId_startMs_idx" ON "Hold"("cameraId", "startMs");
