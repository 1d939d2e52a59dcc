package protocol

import (
	"cmp"
	"crypto/sha1"
	"encoding/base64"
	"strconv"
)

// answer is an HTTP response that ends the connection. Its text is fixed: no
// response repeats anything of the request.
type answer struct {
	status int
	// fields are further header lines, each with its CRLF.
	fields string
	// body is for a developer who reads it, a line of text unless mediaType says otherwise.
	body      string
	mediaType string
}

// upgradeFields are the header fields of every 426 (RFC 9110, 15.5.22; RFC
// 6455, 4.4).
const upgradeFields = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"

var (
	healthy       = answer{status: 200, fields: "Cache-Control: no-store\r\n", body: "ok\n"}
	badRequest    = answer{status: 400, body: "malformed request\n"}
	badConnection = answer{status: 400, body: "handshake: Connection must be a list of tokens that has upgrade\n"}
	badUpgrade    = answer{status: 400, body: "handshake: Upgrade must be a list of protocols\n"}
	badKey        = answer{status: 400, body: "handshake: Sec-WebSocket-Key must be 16 bytes in base64\n"}
	noVersion     = answer{status: 400, body: "handshake: Sec-WebSocket-Version is missing\n"}
	notWebSocket  = answer{
		status: 426, fields: upgradeFields,
		body: "this is a WebSocket port: connect with ws:// or wss://\n",
	}
	wrongVersion = answer{status: 426, fields: upgradeFields, body: "this server speaks WebSocket version 13\n"}
	timedOut     = answer{status: 408, body: "the request took too long\n"}
	forbidden    = answer{status: 403, body: "pages of this origin may not connect here\n"}
	tooLarge     = answer{status: 431, body: "the request head is too large\n"}
)

// AppendTimeout appends a whole response 408: the request did not come in time.
func AppendTimeout(dst []byte) []byte {
	return timedOut.append(dst, false)
}

// AppendForbidden appends a whole response 403: the request comes from a page of another
// site, which this server does not serve.
func AppendForbidden(dst []byte) []byte {
	return forbidden.append(dst, false)
}

// AppendTooLarge appends a whole response 431: the request head is over the
// limit.
func AppendTooLarge(dst []byte) []byte {
	return tooLarge.append(dst, false)
}

// AppendUnavailable appends a whole response 503 that asks the client to come
// back after retryAfterSeconds. It is for connections that are refused before anything
// of a request is known.
func AppendUnavailable[T string | []byte](dst []byte, retryAfterSeconds int, mediaType string, body T) []byte {
	dst = appendStatus(dst, 503)
	dst = append(dst, "Retry-After: "...)
	dst = strconv.AppendInt(dst, int64(retryAfterSeconds), 10)
	dst = append(dst, "\r\n"...)
	return appendBody(dst, mediaType, body, false)
}

// AppendRefusal appends a whole response of that status (401, 429) to a request for an
// upgrade that is well-formed. fields are further header lines, each with its CRLF.
func AppendRefusal[T string | []byte](dst []byte, status int, fields, mediaType string, body T) []byte {
	dst = appendStatus(dst, status)
	dst = append(dst, fields...)
	return appendBody(dst, mediaType, body, false)
}

// appendUpgrade appends the response 101 to an upgrade with key.
func appendUpgrade(dst, key []byte, mode Mode) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: "...)
	dst = appendAccept(dst, key)
	if mode == ModeEnvelope {
		dst = append(dst, "\r\nSec-WebSocket-Protocol: "+SubprotocolV1...)
	}
	return append(dst, "\r\n\r\n"...)
}

// appendAccept appends what proves that key, which is a nonce, was read by a
// server that speaks WebSocket (RFC 6455, 4.2.2).
func appendAccept(dst, key []byte) []byte {
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	var b [nonceLen + len(guid)]byte
	copy(b[:], key)
	copy(b[nonceLen:], guid)
	sum := sha1.Sum(b[:])
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

// AppendAnswer appends a plain HTTP answer that closes the connection.
func AppendAnswer[T string | []byte](dst []byte, status int, mediaType string, body T) []byte {
	return appendBody(appendStatus(dst, status), mediaType, body, false)
}

// append appends the response; without its body if the request was HEAD, but
// with the body's length (RFC 9110, 9.3.2).
func (a answer) append(dst []byte, isHead bool) []byte {
	dst = appendStatus(dst, a.status)
	dst = append(dst, a.fields...)
	if a.status == 204 {
		return append(dst, "\r\n"...) // it has neither body nor length (RFC 9110, 8.6)
	}
	return appendBody(dst, cmp.Or(a.mediaType, PlainText), a.body, isHead)
}

// appendStatus appends the status line and the Connection field.
func appendStatus(dst []byte, status int) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	switch status {
	case 200:
		dst = append(dst, " OK"...)
	case 204:
		dst = append(dst, " No Content"...)
	case 400:
		dst = append(dst, " Bad Request"...)
	case 403:
		dst = append(dst, " Forbidden"...)
	case 404:
		dst = append(dst, " Not Found"...)
	case 401:
		dst = append(dst, " Unauthorized"...)
	case 408:
		dst = append(dst, " Request Timeout"...)
	case 426:
		dst = append(dst, " Upgrade Required"...)
	case 429:
		dst = append(dst, " Too Many Requests"...)
	case 431:
		dst = append(dst, " Request Header Fields Too Large"...)
	case 503:
		dst = append(dst, " Service Unavailable"...)
	}
	dst = append(dst, "\r\nConnection: close"...)
	if status == 426 {
		// A server that sends Upgrade must name it here (RFC 9110, 7.8).
		dst = append(dst, ", Upgrade"...)
	}
	return append(dst, "\r\n"...)
}

// PlainText is the media type of answers for people.
const PlainText = "text/plain; charset=utf-8"

func appendBody[T string | []byte](dst []byte, mediaType string, body T, isHead bool) []byte {
	dst = append(dst, "Content-Type: "...)
	dst = append(dst, mediaType...)
	dst = append(dst, "\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(dst, "\r\n\r\n"...)
	if isHead {
		return dst
	}
	return append(dst, body...)
}
