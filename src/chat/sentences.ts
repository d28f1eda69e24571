import type { WorldError, WorldKind } from '../base/errors.js';
import type { Command } from './command.js';

/** What the chat core itself says, in one place. Handlers have their own words. */

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1).replace('.', ',').replace(',0', '')} MB`;

export const fileTooBig = (sizeBytes: number, limitBytes: number) =>
  `Tệp này nặng ${megabytes(sizeBytes)}, kênh chat này ${
    limitBytes > 0 ? `chỉ nhận đến ${megabytes(limitBytes)}` : 'không nhận tệp'
  }. Anh/chị thử lấy đoạn ngắn hơn nhé.`;

export const unreadable =
  'Em chưa đọc được nội dung anh/chị vừa gửi (nhãn dán, danh thiếp, bình chọn, hoặc loại tin mà kênh chat này không chuyển cho em). Anh/chị gõ bằng chữ giúp em nhé; ảnh, video không gửi được ở đây thì anh/chị gửi qua kênh khác (Zalo OA của công an, Telegram).';

export const noPhotoHere =
  'Kênh chat này chỉ gửi được ảnh khi máy chủ có địa chỉ công khai. Anh/chị xem giúp ở kênh khác (Telegram), hoặc ở máy của trụ sở nhé.';

export const noVideoHere =
  'Kênh chat này không xem được video, và máy chủ chưa có địa chỉ công khai để em gửi đường dẫn. Anh/chị xem giúp ở kênh khác (Telegram), hoặc ở máy của trụ sở nhé.';

export const kindNotTaken =
  'Kênh chat này không nhận loại tệp đó, và máy chủ chưa có địa chỉ công khai để em gửi đường dẫn. Anh/chị nhận giúp ở kênh khác (Telegram), hoặc ở máy của trụ sở nhé.';

export const fileNotTaken = (sizeBytes: number) =>
  `Tệp này nặng ${megabytes(sizeBytes)}, kênh chat không nhận. Anh/chị thử lấy đoạn ngắn hơn nhé.`;

export const linkPin = (pin: string) =>
  `Mã để mở đường dẫn ở tin trên: ${pin}. Anh/chị đừng chuyển mã này cho người khác nhé.`;

export const apology = (code: string) =>
  `Xin lỗi, bên em gặp trục trặc nên chưa làm được việc này. Anh/chị thử lại sau ít phút; nếu vẫn vậy, báo cán bộ mã lỗi ${code} nhé.`;

export const setAside = (code: string) =>
  `Xin lỗi, tin này đã mấy lần làm hệ thống dừng giữa chừng nên em tạm gác lại. Anh/chị báo cán bộ mã lỗi ${code} nhé; các tin khác em vẫn nhận bình thường.`;

export const undelivered = (code: string) =>
  `Xin lỗi, em có câu trả lời nhưng kênh chat không nhận được nội dung đó. Anh/chị thử yêu cầu lại; nếu vẫn vậy, báo cán bộ mã lỗi ${code} nhé.`;

export const fileGone =
  'Xin lỗi, tệp cần gửi không còn trên máy. Anh/chị gửi lại yêu cầu để em chuẩn bị lại nhé.';

export const tooFast =
  'Anh/chị nhắn nhanh quá nên em chưa xử lý kịp: tin này và các tin gửi tiếp ngay sau đây em tạm chưa trả lời, anh/chị chờ một phút rồi gửi lại giúp nhé. Việc khẩn cấp xin gọi ngay 113.';

export const rightsEnded =
  'Quyền xem vừa thay đổi trong lúc chờ nên em không gửi nội dung này. Anh/chị yêu cầu lại giúp; nếu chưa được, xin liên hệ trưởng công an nhé.';

const WORLD: Record<WorldKind, string> = {
  unreachable: 'Thiết bị hoặc dịch vụ đang không kết nối được. Anh/chị thử lại sau ít phút nhé.',
  refused: 'Thiết bị hoặc dịch vụ từ chối kết nối. Anh/chị báo kỹ thuật viên kiểm tra giúp nhé.',
  'disk-full': 'Ổ đĩa của máy chủ đã đầy nên chưa làm được. Anh/chị báo kỹ thuật viên giúp nhé.',
  'too-big': 'Nội dung này lớn quá mức cho phép. Anh/chị thử lấy đoạn ngắn hơn nhé.',
  'rate-limited': 'Đang có quá nhiều yêu cầu cùng lúc. Anh/chị chờ một lát rồi thử lại nhé.',
  'window-closed':
    'Kênh chat chỉ cho nhắn trong thời hạn sau khi người nhận viết cho bot, nên chưa gửi được.',
  blocked: 'Người nhận đã chặn bot nên chưa gửi được.',
  'chat-gone': 'Nhóm hoặc cuộc trò chuyện đó không còn nữa.',
  migrated: 'Nhóm vừa được chuyển sang địa chỉ mới. Anh/chị thử lại nhé.',
  'not-found': 'Không tìm thấy nội dung anh/chị cần. Anh/chị kiểm tra lại giúp nhé.',
  'no-footage': 'Không có hình ghi ở thời điểm này.',
  timeout: 'Chờ lâu quá mà chưa xong. Anh/chị thử lại sau ít phút nhé.',
  cancelled: 'Việc này đã được dừng lại.',
  invalid: 'Dịch vụ không chấp nhận yêu cầu này. Anh/chị thử viết lại cách khác nhé.',
};

export const worldSentence = (error: WorldError) => WORLD[error.kind];

export const usage = (command: Command) =>
  `/${command.name}: ${command.summary}.\nVí dụ: ${command.example}`.replace('..', '.');

export const refused = (command: Command) =>
  `${command.section === 'xem' ? 'Hình camera chỉ người được giao mới xem được ạ. ' : ''}Việc này (${command.summary.charAt(0).toLowerCase()}${command.summary.slice(1)}) anh/chị chưa được giao quyền. Gõ “quyền” để xem mình làm được gì; cần thêm, xin liên hệ trưởng công an nhé.`;

export const privateOnly = 'Việc này xin anh/chị nhắn riêng cho em, em không trả lời trong nhóm được ạ.';

export const openPrivate =
  'Nội dung này em chỉ gửi riêng. Anh/chị bấm nút dưới để mở chat riêng với em, rồi nhắn lại yêu cầu nhé.';
export const openPrivateWithoutLink =
  'Nội dung này em chỉ gửi riêng. Anh/chị nhắn riêng cho em một tin, rồi gửi lại yêu cầu nhé.';
export const OPEN_PRIVATE_LABEL = 'Mở chat riêng';

export const unknownSlash = (typed: string, nearest: string[]) =>
  `Em chưa có lệnh /${typed}.${
    nearest.length > 0 ? ` Có phải ý anh/chị là ${nearest.map((name) => `/${name}`).join(' hay ')}?` : ''
  } Gõ /trogiup để xem em làm được gì nhé.`;

export const staleButton = 'Nút này đã cũ, em không dùng được nữa. Anh/chị gõ lại yêu cầu giúp em nhé.';

export const questionDropped = 'Vâng, em bỏ qua câu hỏi vừa rồi.';

export const notUnderstood = 'Em chưa hiểu ý anh/chị. Gõ /trogiup để xem em làm được gì nhé.';

export const manyMessages = (texts: string[]) => {
  const counted = new Map<string, number>();
  for (const text of texts) counted.set(text, (counted.get(text) ?? 0) + 1);
  const lines = [...counted].map(([text, times]) => `• ${text}${times > 1 ? ` (${times} lần)` : ''}`);
  return `${texts.length} tin đến cùng lúc:\n${lines.join('\n')}`;
};
