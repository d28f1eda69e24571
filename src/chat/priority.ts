/**
 * What goes before what, the most urgent first; numbers as the store keeps them. Strangers' reports go before the answers
 * to strangers, since few messages hold many of them (`digest`), and after everything that officers wait for.
 */
export const PRIORITY = {
  /** a machine speaks: a camera is down, a disk is full */
  alert: 0,
  /** somebody we know reports something */
  report: 1,
  /** to one of the staff */
  'staff-answer': 2,
  /** somebody unknown reports something */
  'stranger-report': 3,
  answer: 4,
  notice: 5,
} as const;

export type Priority = keyof typeof PRIORITY;

const NAMES = new Map(Object.entries(PRIORITY).map(([name, rank]) => [rank as number, name as Priority]));

/** The name of a number of the store. */
export const priorityOf = (rank: number): Priority => NAMES.get(rank) ?? 'notice';

/** May it use what a platform's rate keeps for alarms and the staff? */
export const isUrgent = (rank: number): boolean => rank < PRIORITY['stranger-report'];
