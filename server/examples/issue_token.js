const key = require('fs').readFileSync(process.argv[2], 'utf8').replace(/\n$/, '');
const claims = {sub: '7', exp: Date.now() / 1000 + 3600, join: ['room:*', 'user:{sub}'], publish: ['room:*']};
const text = ['{"alg":"HS256","typ":"JWT"}', JSON.stringify(claims)].map(s => Buffer.from(s).toString('base64url')).join('.');
console.log(text + '.' + require('crypto').createHmac('sha256', key).update(text).digest('base64url'));
