/** Who writes to the OA in a flood, and what: the same list in every process that needs it. */

export type Writer = 'officer' | 'household' | 'stranger' | 'machine';

export interface FloodPerson {
  id: string;
  name: string;
  writer: Writer;
}

const COUNTS: Record<Writer, number> = { officer: 8, household: 120, stranger: 2000, machine: 1 };
const FIRST: Record<Writer, number> = {
  officer: 10_000,
  household: 20_000,
  stranger: 30_000,
  machine: 90_000,
};

const idOf = (number: number) => `55101857582600${number}`;

/** Those of one kind; whoever is not in the bot's book is a stranger to it, the machine too. */
export const floodPeople = (writer: Writer): FloodPerson[] =>
  Array.from({ length: COUNTS[writer] }, (_, at) => ({
    id: idOf(FIRST[writer] + at),
    name: `Người ${FIRST[writer] + at}`,
    writer,
  }));

const WORDS: Record<Writer, readonly string[]> = {
  officer: ['quyền', 'camera', 'trợ giúp'],
  household: ['có người lạ ở cầu, việc', 'quyền', 'đường xóm mình ngập nước, nhà số'],
  stranger: ['xin chào', 'Tin thứ gửi công an xã', 'cho hỏi làm căn cước ở đâu', 'ngoài chợ đông quá, lúc'],
  machine: ['trúng thưởng, bấm vào đây, mã'],
};

/**
 * The event number `at`: of a hundred one is an officer's, fifteen are households', ten come from one machine, the rest
 * from strangers in turn.
 */
export function writerOf(at: number): { writer: Writer; turn: number } {
  const hundred = Math.floor(at / 100);
  const place = at % 100;
  if (place === 37) return { writer: 'officer', turn: hundred };
  if (place % 10 === 3) return { writer: 'machine', turn: hundred * 10 + Math.floor(place / 10) };
  if (place % 10 === 6 || place % 20 === 8)
    return { writer: 'household', turn: hundred * 15 + Math.floor((place * 15) / 100) };
  return { writer: 'stranger', turn: at };
}

/** What that event says. */
export const saidAt = (writer: Writer, at: number): string => {
  const words = WORDS[writer];
  const said = words[at % words.length]!;
  return said.split(' ').length > 3 ? `${said} ${at}` : said;
};
