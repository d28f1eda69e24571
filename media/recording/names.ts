import path from 'node:path';
import { fromVietnamTime, toVietnamTime } from '../../src/base/clock.js';
import type { StreamName } from '../types.js';

/** Ends the name of a file that is being written. */
export const OPEN_SUFFIX = '.recording.mp4';

const two = (value: number) => String(value).padStart(2, '0');

/** `cam1/main/2026-11-21/14`, in Vietnamese time, forward slashes. */
export function hourFolder(cameraId: string, stream: StreamName, startMs: number): string {
  const t = toVietnamTime(startMs);
  return `${cameraId}/${stream}/${t.year}-${two(t.month)}-${two(t.day)}/${two(t.hour)}`;
}

/** `cam1_main_2026-11-21T14-03-12.345+0700`: a person and a program read camera, stream and start from it. */
export function segmentName(cameraId: string, stream: StreamName, startMs: number): string {
  const t = toVietnamTime(Math.round(startMs));
  const day = `${t.year}-${two(t.month)}-${two(t.day)}`;
  const time = `${two(t.hour)}-${two(t.minute)}-${two(t.second)}.${String(t.millisecond).padStart(3, '0')}`;
  return `${cameraId}_${stream}_${day}T${time}+0700`;
}

export interface NamedSegment {
  cameraId: string;
  stream: StreamName;
  startMs: number;
  open: boolean;
}

/** Reads a file's name back; null when it is none of ours. */
export function readSegmentName(file: string): NamedSegment | null {
  const match =
    /^([a-z0-9][a-z0-9-]{0,31})_(main|sub)_(\d{4})-(\d\d)-(\d\d)T(\d\d)-(\d\d)-(\d\d)\.(\d{3})\+0700(?:-\d+)?(\.recording)?\.mp4$/.exec(
      path.posix.basename(file),
    );
  if (!match) return null;
  const [year, month, day, hour, minute, second, ms] = match.slice(3, 10).map(Number);
  return {
    cameraId: match[1]!,
    stream: match[2] as StreamName,
    startMs: fromVietnamTime(year!, month!, day!, hour!, minute!, second!, ms!),
    open: match[10] !== undefined,
  };
}

/** What may be a camera's id: part of folder and file names. */
export const CAMERA_ID = /^[a-z0-9][a-z0-9-]{0,31}$/;
