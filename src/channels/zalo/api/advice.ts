/** What the chief is told of refusals that only a person can mend: what is wrong, and what to do. Codes: chat-apis §1.9. */
const CONSOLE = 'trang quản trị OA (oa.zalo.me)';
const APP = 'trang ứng dụng (developers.zalo.me)';

const OA: Record<number, string> = {
  [-204]: `Zalo đang khóa OA. Nhờ người quản trị vào ${CONSOLE} xem lý do và gửi yêu cầu mở lại.`,
  [-205]: `Zalo không còn thấy OA này. Nhờ người quản trị vào ${CONSOLE} xem OA còn hoạt động không.`,
  [-209]: `Ứng dụng chưa được kích hoạt. Nhờ kỹ thuật viên vào ${APP} bật ứng dụng lên.`,
  [-211]: `OA đã dùng hết số tin của gói. Nhờ người quản trị vào ${CONSOLE} mua thêm tin hoặc nâng gói.`,
  [-212]: `Ứng dụng chưa được cấp quyền cho việc này. Nhờ kỹ thuật viên vào ${APP} đăng ký quyền gửi tin và quản lý nhóm.`,
  [-219]: `Ứng dụng đang bị tắt. Nhờ kỹ thuật viên vào ${APP} bật lại.`,
  [-221]: `OA chưa được xác thực. Nhờ người quản trị vào ${CONSOLE} gửi hồ sơ xác thực.`,
  [-223]: `OA đã dùng hết hạn mức. Nhờ người quản trị vào ${CONSOLE} mua thêm hoặc nâng gói.`,
  [-224]: `Gói của OA không cho việc này, hoặc gói đã hết hạn. Nhờ người quản trị vào ${CONSOLE} gia hạn hoặc nâng gói.`,
  [-235]: `Zalo không cho OA này dùng tính năng gửi tin. Nhờ người quản trị vào ${CONSOLE} xem gói và loại OA.`,
  [-320]: `OA chưa nối với tài khoản trả tiền (Zalo Cloud Account). Nhờ người quản trị vào ${CONSOLE} nối tài khoản đó.`,
  [-321]: `Tài khoản trả tiền của OA (Zalo Cloud Account) đã hết tiền. Nhờ người quản trị nạp thêm.`,
};

const BOT: Record<number, string> = {
  401: 'Zalo từ chối mã của bot. Nhờ kỹ thuật viên lấy mã mới ở bot.zaloplatforms.com, ghi vào ZALO_BOT_TOKEN rồi khởi động lại.',
  404: 'Zalo không thấy bot này. Nhờ kỹ thuật viên xem lại ZALO_BOT_TOKEN rồi khởi động lại.',
};

/** Null where no person is needed, or somebody else tells them (tokens: the keeper). */
export const adviceFor = (api: 'oa' | 'oauth' | 'bot', code: number): string | null =>
  (api === 'oa' ? OA[code] : api === 'bot' ? BOT[code] : undefined) ?? null;
