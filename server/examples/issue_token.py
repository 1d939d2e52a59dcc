import base64, hmac, json, sys, time
part = lambda b: base64.urlsafe_b64encode(b).rstrip(b'=')
claims = {'sub': '7', 'exp': time.time() + 3600, 'join': ['room:*', 'user:{sub}'], 'publish': ['room:*']}
text = part(b'{"alg":"HS256","typ":"JWT"}') + b'.' + part(json.dumps(claims).encode())
print((text + b'.' + part(hmac.digest(open(sys.argv[1], 'rb').read().rstrip(b'\n'), text, 'sha256'))).decode())
