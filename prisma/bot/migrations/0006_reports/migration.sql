-- What was said of the order of sending in the payload is a priority of its own now, and reports have theirs:
-- 0 alert, 1 report, 2 answer to the staff, 3 stranger's report, 4 answer, 5 notice.
UPDATE "Outbox" SET "priority" = CASE "priority"
  WHEN 1 THEN CASE WHEN "payload" LIKE '%"first":true%' THEN 2 ELSE 4 END
  WHEN 2 THEN 5
  ELSE "priority" END;

-- AlterTable
ALTER TABLE "ReportFile" ADD COLUMN "shown" TEXT;
