import { fold } from '../src/base/vietnamese/text.js';

/** What is said out of kindness and asks for nothing. */
export type SmallTalk = 'thanks' | 'agreed' | null;

const THANKS =
  /^(?:(?:da|vang|ok|oke|em|anh|toi) )*(?:cam on|cam ta|cam on nhieu|thanks?|tks|thank you|biet on)\b/;
const AGREED =
  /^(?:ok|oke|okie|okay|uk|uh|u|um|vang|vang a|da|da vang|duoc|duoc roi|ro|ro roi|biet roi|anh biet roi|hieu roi|nhat tri|tot|tot lam|hay|hay qua|gioi qua|yes|thoi|thoi khoi|thoi khong can|khong|khong can|khong can dau|de sau)(?: (?:em|anh|chi|nhe|nha|a|roi|oi))*$/;

/** Thanks, and signs that something was heard ("ok", "👍"): they deserve a short answer, never a page of help. */
export function smallTalk(text: string): SmallTalk {
  const folded = fold(text);
  if (folded === '') return /\p{Extended_Pictographic}/u.test(text) ? 'agreed' : null;
  if (folded.split(' ').length > 8) return null;
  if (THANKS.test(folded)) return 'thanks';
  return AGREED.test(folded) ? 'agreed' : null;
}

/** Is a gift of money spoken of? */
export const speaksOfGiving = (text: string): boolean =>
  /(?:^| )(?:ung ho|dong gop|quyen gop|cong duc|so tai khoan|stk)(?: |$)/.test(fold(text)) &&
  fold(text).split(' ').length <= 14;

/** Is the book of gifts spoken of ("hủy ghi nhận số 5", "xóa khoản 5")? */
export const speaksOfBooks = (text: string): boolean =>
  /(?:^| )(?:ghi nhan|khoan \d+|danh sach ung ho)(?: |$)/.test(fold(text)) &&
  fold(text).split(' ').length <= 10;
