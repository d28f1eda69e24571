// `npm test`: installs what is missing, runs every test, and ends with one line: N passed, N failed.
// Arguments go to vitest: npm test -- test/chat
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { prepare, root } from './prepare.mjs';

const say = (line) => process.stderr.write(`${line}\n`);

function loadNeeds() {
  const file = pathToFileURL(path.join(root, 'dist', 'test', 'support', 'debian.js'));
  // Asked anew after packages were installed.
  file.searchParams.set('at', String(Date.now()));
  return import(file.href).then(({ needs }) => needs.filter((need) => !need.available));
}

/** apt-get, waiting up to ten minutes for another apt to finish. */
function apt(...args) {
  const until = Date.now() + 600_000;
  for (;;) {
    const run = spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=600', ...args], {
      encoding: 'utf8',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    if (run.status === 0) return true;
    const words = `${run.stdout ?? ''}${run.stderr ?? ''}${run.error?.message ?? ''}`;
    // The lock on the package lists knows no timeout of its own.
    if (/could not get lock/i.test(words) && Date.now() < until) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3000);
      continue;
    }
    say(`apt-get ${args[0]} failed:\n${words.slice(-2000)}`);
    return false;
  }
}

function mayInstall() {
  const asked = process.env.MAT_THAN_APT === '1' || ['1', 'true'].includes(process.env.CI ?? '');
  return asked && process.getuid?.() === 0 && fs.existsSync('/usr/bin/apt-get');
}

/** What is still missing after installing what may be installed. */
async function debianPackages() {
  const missing = await loadNeeds();
  if (missing.length === 0 || !mayInstall()) return missing;
  const packages = missing.flatMap((need) => need.packages);
  say(`installing ${packages.join(' ')}…`);
  if (apt('update', '-q')) apt('install', '-y', '-q', '--no-install-recommends', ...packages);
  return loadNeeds();
}

function count(report) {
  const { numPassedTests = 0, numFailedTests = 0, numPendingTests = 0, numTodoTests = 0 } = report;
  // A file that can't even be loaded has no tests to fail: it counts as one.
  const broken = (report.testResults ?? []).filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  return {
    passed: numPassedTests,
    failed: numFailedTests + broken.length,
    skipped: numPendingTests + numTodoTests,
  };
}

async function main() {
  prepare({ say });
  const missing = await debianPackages();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-report-'));
  const file = path.join(folder, 'report.json');
  const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const run = spawnSync(process.execPath, [vitest, ...args, ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
  });
  const report = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
  fs.rmSync(folder, { recursive: true, force: true });
  const { passed, failed, skipped } = count(report);
  // vitest also fails for errors outside any test; that is never reported as a success.
  const failures = run.status !== 0 && failed === 0 ? 1 : failed;
  if (missing.length > 0 && skipped > 0) {
    const how = 'as root: MAT_THAN_APT=1 npm test';
    console.log(`${skipped} skipped: ${missing.map((need) => need.reason).join('; ')} (${how})`);
  }
  console.log(`${passed} passed, ${failures} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  process.exitCode = failures > 0 ? 1 : 0;
}

main().catch((error) => {
  say(error.message);
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
});
