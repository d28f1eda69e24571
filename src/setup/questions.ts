import readline from 'node:readline';
import { Writable } from 'node:stream';

/** The person left: by Ctrl-C, Ctrl-D, or the end of what was piped in. */
export class Left extends Error {
  override name = 'Left';
}

export interface Questions {
  say(line?: string): void;
  /** One line, trimmed. @param about.secret what is typed is not shown @throws Left */
  ask(question: string, about?: { secret?: boolean }): Promise<string>;
  /** Yes or no; Enter takes `otherwise`. */
  confirm(question: string, otherwise: boolean): Promise<boolean>;
  close(): void;
}

/** Asks on a terminal, or of whatever stands in its place; lines that came early wait for their question. */
export function makeQuestions(
  input: NodeJS.ReadableStream & { isTTY?: boolean },
  output: NodeJS.WritableStream,
): Questions {
  let hidden = false;
  const shown = new Writable({
    write(chunk, _encoding, done) {
      if (!hidden) output.write(chunk as Buffer);
      done();
    },
  });
  const lines: string[] = [];
  let waiting: { resolve: (line: string) => void; reject: (error: Error) => void } | null = null;
  let ended = false;
  const reader = readline.createInterface({
    ...{ input, output: shown, terminal: input.isTTY === true, historySize: 0 },
  });
  reader.on('line', (line) => {
    if (waiting === null) return void lines.push(line);
    const { resolve } = waiting;
    waiting = null;
    resolve(line);
  });
  reader.on('close', () => {
    ended = true;
    waiting?.reject(new Left());
    waiting = null;
  });

  const next = () =>
    new Promise<string>((resolve, reject) => {
      const line = lines.shift();
      if (line !== undefined) return resolve(line);
      if (ended) return reject(new Left());
      waiting = { resolve, reject };
    });

  async function ask(question: string, { secret = false } = {}): Promise<string> {
    if (ended && lines.length === 0) throw new Left();
    if (!ended) {
      reader.setPrompt(`${question} `);
      reader.prompt();
    }
    hidden = secret;
    try {
      return (await next()).trim().normalize('NFC');
    } finally {
      hidden = false;
      if (secret || input.isTTY !== true) output.write('\n');
    }
  }

  return {
    say: (line = '') => void output.write(`${line}\n`),
    ask,
    async confirm(question, otherwise) {
      for (;;) {
        const said = (await ask(`${question} (${otherwise ? 'C/k' : 'c/K'}):`)).toLowerCase();
        if (said === '') return otherwise;
        if (/^(c|có|co|y|yes|ừ|u|đúng)$/.test(said)) return true;
        if (/^(k|không|khong|n|no)$/.test(said)) return false;
        output.write('Gõ c (có) hoặc k (không) rồi Enter.\n');
      }
    },
    close: () => reader.close(),
  };
}
