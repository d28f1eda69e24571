import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { pino } from 'pino';
import { ConfigError } from '../base/config.js';
import { replaceFile } from '../base/durable.js';
import { changeEnvText, ensureKeys, readEnvFile } from '../base/env-file.js';
import { WorldError } from '../base/errors.js';
import { findInstallation } from '../base/installation.js';
import { type GivenPair, makeTokenKeeper } from '../channels/zalo/index.js';
import { Interview } from '../setup/interview.js';
import { Left, makeQuestions, type Questions } from '../setup/questions.js';
import { askPublicUrl, askTelegram, askUnit, askZaloBot, askZaloOa } from '../setup/steps.js';
import { summary } from '../setup/words.js';
import { windowsSteps } from './service.js';

/**
 * `npm run setup`: asks for what connects Mắt Thần with the world, tries each answer at once, and writes `.env` whole at
 * the end. Nothing is written when it is left before.
 */

// keys and tokens are for the account that runs this and nobody else
process.umask(0o077);

/** Keeps the answers; the pair of tokens comes after the key that seals it. @returns whether the OA has tokens now */
async function keep(interview: Interview, pair: GivenPair | null): Promise<boolean> {
  const { questions, changes } = interview;
  const file = path.resolve('.env');
  const before = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  const text = changeEnvText(before, changes);
  if (text !== before) await replaceFile(file, text, 0o600);
  ensureKeys(file, process.env);
  questions.say(`Đã ghi ${file}.`);
  const { config } = findInstallation(process.cwd(), { ...process.env, MAT_THAN_DEMO: '0' });
  const { appId, appSecret, roots } = config.zalo;
  if (appId === null || appSecret === null) return false;
  const keeper = makeTokenKeeper({
    ...{ dataDir: config.dataDir, secretKey: config.secretKey, log: pino({ level: 'silent' }) },
    ...{ oauth: { root: roots.oauth, appId, appSecret }, onTrouble: async () => {} },
  });
  if (pair !== null)
    try {
      await keeper.put(pair);
      questions.say('Đã cất cặp mã của Zalo OA (mã hóa bằng SECRET_KEY).');
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      questions.say(
        '✗ Chưa cất được cặp mã của Zalo OA: ổ đĩa đầy hoặc không ghi được. Cặp mã vừa dán vẫn dùng được.',
      );
    }
  return (await keeper.state()) === 'fine';
}

function end(questions: Questions, hasTokens: boolean): void {
  const { config } = findInstallation(process.cwd(), { ...process.env, MAT_THAN_DEMO: '0' });
  const { on, missing } = summary(config, hasTokens);
  questions.say(`\nĐang bật: ${on.length === 0 ? 'chưa có kênh nào' : on.join(', ')}.`);
  if (missing.length > 0) questions.say('Còn thiếu:');
  for (const line of missing) questions.say(`  - ${line}`);
  questions.say('\nBước tiếp: npm start (đang chạy thì khởi động lại), rồi npm run doctor để kiểm tra.');
  questions.say('Để Mắt Thần tự chạy cùng máy: trên Linux gõ sudo npm run service. Trên Windows:');
  for (const step of windowsSteps({ folder: process.cwd(), node: process.execPath }))
    questions.say(`  ${step}`);
}

async function main(questions: Questions): Promise<number> {
  questions.say('Cài đặt Mắt Thần. Mỗi câu một dòng; Enter để giữ như cũ, Ctrl-C để thôi (chưa ghi gì).\n');
  const interview = new Interview(questions, { ...readEnvFile(path.resolve('.env')), ...process.env });
  await askUnit(interview);
  await askTelegram(interview);
  await askPublicUrl(interview);
  const pair = await askZaloOa(interview);
  await askZaloBot(interview);
  questions.say('');
  if (!(await questions.confirm('Ghi lại các câu trả lời?', true))) throw new Left();
  end(questions, await keep(interview, pair));
  return 0;
}

const questions = makeQuestions(process.stdin, process.stdout);
try {
  process.exitCode = await main(questions);
} catch (error) {
  process.exitCode = 1;
  if (error instanceof Left)
    questions.say('\nĐã thôi, chưa ghi gì. Chạy lại lúc nào cũng được: npm run setup');
  else if (error instanceof ConfigError)
    questions.say(`Cài đặt chưa đúng, hãy sửa trong .env:\n${error.message}`);
  else
    questions.say(
      `Không xong: ${error instanceof Error && 'code' in error ? String(error.code) : 'lỗi bất ngờ'}. Tệp .env còn như trước.`,
    );
} finally {
  questions.close();
}
