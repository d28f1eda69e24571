/** Every campaign by its name. */
import type { Campaign } from './campaign.js';
import { clockSteps } from './clock-steps.js';
import { powerCuts } from './cuts.js';
import { damagedFiles } from './damaged-files.js';
import { failingDisks, fullDisks, readOnlyDisks } from './disks.js';
import { corruptIndex, corruptRunningIndex, lostIndex, olderIndex } from './index-faults.js';
import { kills } from './kills.js';
import { millionFiles } from './million.js';
import { network, stoppedFfmpeg, stoppedRecorder, stoppedServer } from './stops.js';

export const campaigns: Record<string, Campaign> = {
  kills,
  'power-cuts': powerCuts,
  'full-disk': fullDisks,
  'read-only-disk': readOnlyDisks,
  'failing-disk': failingDisks,
  'stopped-server': stoppedServer,
  'stopped-ffmpeg': stoppedFfmpeg,
  'stopped-recorder': stoppedRecorder,
  network,
  'damaged-files': damagedFiles,
  'lost-index': lostIndex,
  'older-index': olderIndex,
  'corrupt-index': corruptIndex,
  'corrupt-running-index': corruptRunningIndex,
  'clock-steps': clockSteps,
  'million-files': millionFiles,
};
