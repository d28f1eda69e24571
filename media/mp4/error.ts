export type Mp4Fault = 'bad-box' | 'too-big' | 'not-video' | 'unsupported';

/** Bytes that are not the MP4 they should be. Thrown instead of guessing; the stream or file must be given up. */
export class Mp4Error extends Error {
  override name = 'Mp4Error';
  constructor(
    readonly fault: Mp4Fault,
    message: string,
  ) {
    super(message);
  }
}
