-- AlterTable
ALTER TABLE "Group" ADD COLUMN "topic" TEXT;
