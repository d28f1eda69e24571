/** What processes and all their children cost, read from /proc (Linux). */
import { readdir, readFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';

/** clock ticks a second in /proc/<pid>/stat; 100 on every Linux we run on */
const TICKS = 100;

export interface Cost {
  processes: number;
  /** user + system time, children that have ended included */
  cpuSeconds: number;
  /** proportional set size: shared pages are split among those who share them */
  pssMb: number;
}

interface Stat {
  pid: number;
  parent: number;
  ticks: number;
}

async function readStat(pid: number): Promise<Stat | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  // The name stands in brackets and may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { pid, parent: Number(fields[1]), ticks };
}

async function readPssKb(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0);
}

/** The given processes and everything below them. */
async function family(roots: readonly number[]): Promise<Stat[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0);
  const stats = (await Promise.all(pids.map(readStat))).filter((stat) => stat !== null);
  const members = new Set(roots);
  for (let before = -1; before !== members.size; ) {
    before = members.size;
    for (const stat of stats) if (members.has(stat.parent)) members.add(stat.pid);
  }
  return stats.filter((stat) => members.has(stat.pid));
}

/** What the given processes and all below them have cost until now. */
export async function costOf(roots: readonly number[], options: { memory?: boolean } = {}): Promise<Cost> {
  const stats = await family(roots);
  const pss = options.memory === false ? [] : await Promise.all(stats.map((stat) => readPssKb(stat.pid)));
  return {
    processes: stats.length,
    cpuSeconds: stats.reduce((sum, stat) => sum + stat.ticks, 0) / TICKS,
    pssMb: pss.reduce((sum, kb) => sum + kb, 0) / 1024,
  };
}

/** Ids of a process's own children. */
export async function childrenOf(pid: number): Promise<number[]> {
  return (await family([pid])).filter((stat) => stat.parent === pid).map((stat) => stat.pid);
}

/** Does this process still run? */
export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export interface Span {
  seconds: number;
  /** cores' worth: 1 = one core all the time */
  cores: number;
  cpuSeconds: number;
  /** at each sample */
  pssMb: number[];
  processes: number;
}

/** Measures the processes for `seconds`, looking at their memory `samples` times. */
export async function measure(roots: readonly number[], seconds: number, samples = 5): Promise<Span> {
  const beginning = process.hrtime.bigint();
  const first = await costOf(roots, { memory: false });
  const pssMb: number[] = [];
  let last = first;
  for (let i = 1; i <= samples; i++) {
    const dueMs = (i * seconds * 1000) / samples;
    const passedMs = Number(process.hrtime.bigint() - beginning) / 1e6;
    await new Promise((go) => setTimeout(go, Math.max(0, dueMs - passedMs)));
    last = await costOf(roots);
    pssMb.push(last.pssMb);
  }
  const passed = Number(process.hrtime.bigint() - beginning) / 1e9;
  const cpuSeconds = last.cpuSeconds - first.cpuSeconds;
  return { seconds: passed, cpuSeconds, cores: cpuSeconds / passed, pssMb, processes: last.processes };
}

/** "2 × AMD EPYC …, 24 GB, Linux, Node v20.20.2" */
export function machine(): string {
  const [cpu] = cpus();
  const gigabytes = Math.round(totalmem() / 1e9);
  return `${cpus().length} × ${cpu?.model.trim() ?? 'CPU'}, ${gigabytes} GB, ${process.platform}, Node ${process.version}`;
}
