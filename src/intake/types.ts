import type { Attachment, Channel } from '../chat/message.js';

/** A file from outside after inspection: stored, typed by its content, never trusted. */
export interface TakenFile {
  ok: true;
  /** on our disk, in the folder asked for */
  path: string;
  kind: 'photo' | 'video' | 'audio' | 'document';
  /** from the content, not from what the sender claimed */
  mime: string;
  fileName: string;
  sizeBytes: number;
  sha256: string;
  width: number | null;
  height: number | null;
  durationMs: number | null;
  /**
   * A copy that we made by decoding and encoding again, safe to show inline; null when the content could not or must
   * not be decoded: then the original goes on as a document.
   */
  shown: { path: string; kind: 'photo' | 'video'; width: number; height: number; durationMs: number } | null;
}

/** Refused: `sentence` says in Vietnamese why and what to do. */
export interface RefusedFile {
  ok: false;
  sentence: string;
}

/** Takes files that strangers send: fetches them within limits, finds out what they are, decodes only in a limited child. */
export interface Intake {
  /**
   * Throws WorldError unreachable | timeout when the platform can't deliver the file now, cancelled when the signal aborts
   * before it has: worth another try.
   */
  take(
    channel: Channel,
    attachment: Attachment,
    dir: string,
    signal?: AbortSignal,
  ): Promise<TakenFile | RefusedFile>;
}
