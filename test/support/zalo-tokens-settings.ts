/** What both sides of the torture of tokens know. */
export const SECRET_KEY = Buffer.alloc(32, 7).toString('base64');
export const TORTURED_APP = { appId: '360846524940903967', appSecret: 'APP_SECRET_OF_TESTS' };
export const QUICK = { checkMs: 50, firstMs: 10, mostMs: 50, youngMs: 0, mendMs: 1000 };
