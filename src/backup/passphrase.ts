import { StringDecoder } from 'node:string_decoder';
import type { ReadStream } from 'node:tty';
import { BackupFault } from './fault.js';

/** The terminal, or whatever stands in its place. */
export interface Terminal {
  input: NodeJS.ReadableStream & Partial<Pick<ReadStream, 'isTTY' | 'setRawMode'>>;
  /** prompts go here, never answers */
  say(text: string): void;
}

const ENDED = () =>
  new BackupFault(
    'no-passphrase',
    'Chưa nhập mật khẩu sao lưu. Hãy chạy lại lệnh trong cửa sổ lệnh và gõ mật khẩu khi được hỏi.',
  );

/** Arrows, Delete, F-keys and a terminal's marks around what was pasted: keys that write nothing. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they begin with Escape
const SILENT_KEYS = /\u001b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])/g;

/** Pure: the line typed so far after more keys; `done` at Enter, `left` at Ctrl-C or Ctrl-D. */
export function typeKeys(line: string, keys: string): { line: string; state: 'typing' | 'done' | 'left' } {
  let typed = [...line];
  for (const key of keys.replace(SILENT_KEYS, '')) {
    if (key === '\r' || key === '\n') return { line: typed.join(''), state: 'done' };
    if (key === '\u0003' || key === '\u0004') return { line: '', state: 'left' };
    if (key === '\u007f' || key === '\b') typed = typed.slice(0, -1);
    else if (key === '\u0015') typed = [];
    else if (key >= ' ') typed.push(key);
  }
  return { line: typed.join(''), state: 'typing' };
}

/** Asks for one line without showing it; where input is no terminal its first line is taken. */
export function askPassphrase({ input, say }: Terminal, prompt: string): Promise<string> {
  const hidden = input.isTTY === true && input.setRawMode !== undefined;
  say(prompt);
  if (hidden) input.setRawMode?.(true);
  const decoder = new StringDecoder('utf8');
  return new Promise((resolve, reject) => {
    let line = '';
    const settle = (work: () => void) => {
      input.off('data', onData).off('end', onEnd).off('error', onEnd);
      if (hidden) input.setRawMode?.(false);
      input.pause();
      say('\n');
      work();
    };
    const onData = (chunk: Buffer | string) => {
      const next = typeKeys(line, typeof chunk === 'string' ? chunk : decoder.write(chunk));
      line = next.line;
      if (next.state === 'done') settle(() => resolve(line));
      if (next.state === 'left') settle(() => reject(ENDED()));
    };
    const onEnd = () => settle(() => (line === '' ? reject(ENDED()) : resolve(line)));
    input.on('data', onData).on('end', onEnd).on('error', onEnd);
    input.resume();
  });
}

/** Asks twice, so that a slip of the finger does not lock a backup for ever. */
export async function askNewPassphrase(terminal: Terminal): Promise<string> {
  const first = await askPassphrase(terminal, 'Đặt mật khẩu cho bản sao lưu (gõ không hiện chữ): ');
  if (terminal.input.isTTY !== true) return first;
  const second = await askPassphrase(terminal, 'Gõ lại mật khẩu đó một lần nữa: ');
  if (first.normalize('NFC') !== second.normalize('NFC'))
    throw new BackupFault('no-passphrase', 'Hai lần gõ không giống nhau. Hãy chạy lại npm run backup.');
  return first;
}
