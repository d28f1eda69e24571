// Moved to src/base/ffmpeg.ts since the bot needs it too (files of strangers): edit it there.
export * from '../src/base/ffmpeg.js';
