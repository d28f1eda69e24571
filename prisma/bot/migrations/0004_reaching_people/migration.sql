-- AlterTable
ALTER TABLE "Person" ADD COLUMN "preferredChannel" TEXT;

-- AlterTable
ALTER TABLE "Address" ADD COLUMN "heardMs" BIGINT;

-- AlterTable
ALTER TABLE "Outbox" ADD COLUMN "personId" INTEGER;

-- CreateIndex
CREATE INDEX "Outbox_state_personId_idx" ON "Outbox"("state", "personId");
