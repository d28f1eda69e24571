import { fold } from '../../src/base/vietnamese/text.js';

/** Words that greet, thank, call or ask for help and tell nothing by themselves. */
const SMALL_TALK = new Set(
  `a ad admin ah alo anh ban ban bac be biet bot buoi can cam cac chao chau chi chieu cho chu chuc co con cung
   dang day de di do dc duoc dung em gi gia giup gium ha hai hay hello help hey hi hoi hom ho hoan jk k ko khoe khong la lam
   robot cong an xa dong ho so dien thoai sdt truong lien he gap
   lai lam luon ma may minh mot moi moi nao nay nghe ngay nha nhe nhi nhu noi oi ok oke on ong qua ra rat roi sang sao
   ta tam the thay thi thoi toi tot trua truoc tu u uh uhm ung va van vang vay ve viet voi xem xin ay hen gap
   nhat ky anh clip camera nhom nguoi quyen tro ba co`
    .split(/\s+/)
    .filter((word) => word !== ''),
);

/** Beginnings of a question to the bot or of chit-chat, folded. */
const ASKING =
  /^((cho|xin) (em |toi |minh |chau |tui |bac |co |chu |anh |chi |ong |ba )?hoi|(anh|chi|em|co|chu|bac|ad|bot|dong chi) oi cho (em|toi|minh|chau|bac|co|chu|anh|chi|ong|ba) hoi|(lam|the) (sao|nao)|bao gio|khi nao|tai sao|vi sao|sao lai|co phai|camera la gi|.{0,40} la gi$|may gio|xin hoi)\b/;

/** Words that make a text worth keeping whatever its length, folded. */
const TELLING =
  /\b(trom|cuop|giat|danh nhau|danh bac|ma tuy|chay|hoa hoan|tai nan|va cham|dam|dam chem|gay roi|say ruou|lua dao|kha nghi|la mat|mat (xe|cho|ga|do|tien|trau|bo|dien thoai)|pha hoai|dap pha|bien so|cap cuu|cuu (voi|toi|em|chau|nguoi|ba con)|do rac|xa thai|sung|dao|hung khi|dua xe|lang lach|bat coc|di lac|nhay vao|dot nhap|kich dien|dot phao|nguoi la|xe la)\b/;

/**
 * Does a text that is no command tell something, so that it is kept as a report? Errs on keeping: only greetings,
 * thanks and questions to the bot are taken for talk.
 */
export function looksLikeReport(text: string): boolean {
  const folded = fold(text);
  if (folded === '') return false;
  if (TELLING.test(folded)) return !/^(cho (em |toi |minh )?hoi)\b/.test(folded) || folded.length > 30;
  const words = folded.split(' ');
  if (ASKING.test(folded) && words.length <= 14) return false;
  if (words.length <= 2) return false;
  return !words.every((word) => SMALL_TALK.has(word) || word.length === 1);
}
