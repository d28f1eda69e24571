import type { CameraIdentity, Cause, Deletion, Loss, RecorderEvent, StreamName } from '../types.js';

/** A camera as the index keeps it; addresses are already opened. */
export interface CameraRow {
  id: string;
  name: string;
  url: string;
  subUrl: string | null;
  transport: 'tcp' | 'udp';
  audio: boolean;
  enabled: boolean;
  /** null = the service's default */
  retentionDays: number | null;
  createdMs: number;
  removedMs: number | null;
  /** null: nothing is known of the device */
  identity: CameraIdentity | null;
}

/** A camera as the index keeps it: its addresses sealed. */
export interface SealedCamera {
  id: string;
  createdMs: number;
  removedMs: number | null;
  [column: string]: string | number | boolean | null;
}

export interface SegmentRow {
  id: number;
  cameraId: string;
  stream: StreamName;
  startMs: number;
  endMs: number;
  /** relative to the recordings folder, with forward slashes */
  path: string;
  sizeBytes: number;
  codec: string;
  width: number;
  height: number;
  open: boolean;
}

export interface GapRow {
  id: number;
  cameraId: string;
  stream: StreamName;
  startMs: number;
  /** null while it lasts */
  endMs: number | null;
  cause: Cause | Loss;
}

export type DeletionRow = Omit<Deletion, 'id'>;

export type NewEvent = Omit<RecorderEvent, 'id'>;
