package protocol

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"

	"github.com/gobwas/ws"
)

// SubprotocolV1 is the WebSocket subprotocol that stands for ModeEnvelope.
const SubprotocolV1 = "groupcast.v1"

// HandshakeResult says what became of a request.
type HandshakeResult struct {
	// Status is the HTTP status of the response: 101 upgraded, 200 health, 400
	// malformed, 426 anything else.
	Status int
	// Upgraded is Status == 101: frames follow. Otherwise the connection is
	// to be closed once the response is out.
	Upgraded bool
	// Mode is what the client chose, if it was upgraded.
	Mode Mode
}

// Handshaker answers the one HTTP request of a connection. The zero value is
// ready.
//
// Owner: one reactor. It reuses its buffers and must not be used concurrently.
type Handshaker struct {
	conn memoryConn
}

// upgrader negotiates the subprotocol and never an extension. Its hook has no
// state, so one value serves all.
var upgrader = ws.Upgrader{ProtocolCustom: selectProtocol}

// Handshake answers the request in head, which must be exactly a request's
// head with its blank line, see HeadEnd: ws.Upgrader would swallow what stands
// behind it. response is a whole HTTP response, aliases the Handshaker's
// buffer and is valid until the next call. head is not modified. Which request
// gets which answer: WIRE.md, "HTTP on the WebSocket port".
func (h *Handshaker) Handshake(head []byte) (response []byte, res HandshakeResult) {
	h.conn.in, h.conn.out = head, h.conn.out[:0]
	defer func() { h.conn.in = nil }()

	r, ok := parseRequest(head)
	if !ok {
		return h.refuse(badRequest, r)
	}
	if !r.toWebSocket {
		if isHealthz(r) {
			return h.refuse(healthy, r)
		}
		return h.refuse(notWebSocket, r)
	}
	// The version first: for another one, none of the rest need make sense.
	if refusal := checkUpgrade(r); refusal != nil {
		return h.refuse(*refusal, r)
	}
	hs, err := upgrader.Upgrade(&h.conn)
	if err != nil {
		h.conn.out = h.conn.out[:0]
		return h.refuse(upgradeRefusal(err), r)
	}
	res = HandshakeResult{Status: 101, Upgraded: true}
	if hs.Protocol == SubprotocolV1 {
		res.Mode = ModeEnvelope
	}
	return h.conn.out, res
}

// refuse writes one of the answers that end the connection.
func (h *Handshaker) refuse(a answer, r request) ([]byte, HandshakeResult) {
	h.conn.out = a.append(h.conn.out, string(r.method) == "HEAD")
	return h.conn.out, HandshakeResult{Status: a.status}
}

// isHealthz reports whether r asks whether the process is alive.
func isHealthz(r request) bool {
	path, _, _ := bytes.Cut(r.target, []byte{'?'})
	return string(path) == "/healthz" && (string(r.method) == "GET" || string(r.method) == "HEAD")
}

// checkUpgrade makes the checks on an upgrade that ws.Upgrader does not make,
// or makes in an order that depends on the order of the header fields.
func checkUpgrade(r request) *answer {
	switch {
	case string(r.method) != "GET", r.version10:
		return &notWebSocket
	case r.versions > 1, r.keys > 1, r.body, r.target[0] != '/':
		return &badRequest
	case r.versions == 1 && string(r.wsVersion) != "13":
		return &wrongVersion
	case r.keys == 1 && !isNonce(r.wsKey):
		return &badKey
	}
	return nil
}

// isNonce reports whether key is 16 bytes in base64 (RFC 6455, 4.2.1).
func isNonce(key []byte) bool {
	var buf [18]byte // DecodedLen(24): decoding needs room for the padding
	if len(key) != 24 {
		return false
	}
	n, err := base64.StdEncoding.Decode(buf[:], key)
	return err == nil && n == 16
}

// upgradeRefusal turns ws.Upgrader's error into an answer of ours. Its own
// response is not used: it does not say that the connection closes.
func upgradeRefusal(err error) answer {
	switch {
	case errors.Is(err, ws.ErrHandshakeBadConnection):
		return badConnection
	case errors.Is(err, ws.ErrHandshakeBadUpgrade):
		return badUpgrade
	case errors.Is(err, ws.ErrHandshakeBadSecKey):
		return badKey
	case errors.Is(err, ws.ErrHandshakeBadSecVersion):
		return noVersion
	case errors.Is(err, ws.ErrHandshakeUpgradeRequired):
		return wrongVersion
	}
	return badRequest
}

// selectProtocol chooses from one Sec-WebSocket-Protocol field. ws.Upgrader
// asks for each of them until one is chosen.
func selectProtocol(list []byte) (string, bool) {
	for len(list) > 0 {
		var item []byte
		item, list, _ = bytes.Cut(list, []byte{','})
		if string(bytes.Trim(item, " \t")) == SubprotocolV1 {
			return SubprotocolV1, true
		}
	}
	// None is no error: the client gets bare messages, and sees in the
	// response that nothing was chosen.
	return "", true
}

// memoryConn lets ws.Upgrader read a head from memory and write to memory.
type memoryConn struct {
	in  []byte
	out []byte
}

// Read implements io.Reader.
func (c *memoryConn) Read(p []byte) (int, error) {
	if len(c.in) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, c.in)
	c.in = c.in[n:]
	return n, nil
}

// Write implements io.Writer.
func (c *memoryConn) Write(p []byte) (int, error) {
	c.out = append(c.out, p...)
	return len(p), nil
}
