package protocol

import "encoding/base64"

// SubprotocolV1 is the WebSocket subprotocol that stands for ModeEnvelope.
const SubprotocolV1 = "groupcast.v1"

// HandshakeResult says what became of a request.
type HandshakeResult struct {
	// Status is the HTTP status of the response: 101 upgraded, 200 health or the page for
	// browsers, 204 no icon for it, 400 malformed, 426 anything else.
	Status int
	// Upgraded is Status == 101: frames follow. Otherwise the connection is
	// to be closed once the response is out.
	Upgraded bool
	// Mode is what the client chose, if it was upgraded.
	Mode Mode
	// Request is what else the request says; zero if it is malformed. It
	// aliases the head that was given to Handshake or Inspect.
	Request RequestFacts
}

// Handshaker answers the one HTTP request of a connection. The zero value is
// ready.
//
// Owner: one reactor. It reuses its buffer and must not be used concurrently.
type Handshaker struct {
	response []byte
}

// Handshake answers the request in head, which must be exactly a request's
// head with its blank line, see HeadEnd. response is a whole HTTP response,
// aliases the Handshaker's buffer and is valid until the next call. head is
// not modified. Which request gets which answer: WIRE.md, "HTTP on the
// WebSocket port".
func (h *Handshaker) Handshake(head []byte) (response []byte, res HandshakeResult) {
	r, refusal := judge(head)
	if refusal != nil {
		return h.refuse(*refusal, r)
	}
	res = upgraded(r)
	h.response = appendUpgrade(h.response[:0], r.wsKey, res.Mode)
	return h.response, res
}

// Inspect is what Handshake makes of head, without a response: for a caller that has to know
// before the request is answered.
func Inspect(head []byte) HandshakeResult {
	r, refusal := judge(head)
	if refusal != nil {
		return HandshakeResult{Status: refusal.status, Request: r.facts}
	}
	return upgraded(r)
}

// judge reads head; refusal is nil if it is a good upgrade.
func judge(head []byte) (r request, refusal *answer) {
	r, ok := parseRequest(head)
	if !ok {
		return r, &badRequest
	}
	if r.upgrade.has {
		return r, checkUpgrade(r)
	}
	if isHealthz(r) {
		return r, &healthy
	}
	if page := forBrowser(r); page != nil {
		return r, page
	}
	return r, &notWebSocket
}

func upgraded(r request) HandshakeResult {
	res := HandshakeResult{Status: 101, Upgraded: true, Request: r.facts}
	if r.offersV1 {
		res.Mode = ModeEnvelope
	}
	return res
}

// refuse writes one of the answers that end the connection.
func (h *Handshaker) refuse(a answer, r request) ([]byte, HandshakeResult) {
	h.response = a.append(h.response[:0], string(r.method) == "HEAD")
	return h.response, HandshakeResult{Status: a.status, Request: r.facts}
}

// isHealthz reports whether r asks whether the process is alive.
func isHealthz(r request) bool {
	return string(r.facts.Path()) == "/healthz" && isRead(r)
}

// isRead reports whether r asks for what is there, and changes nothing.
func isRead(r request) bool { return string(r.method) == "GET" || string(r.method) == "HEAD" }

// checkUpgrade returns what is to be said to a request for an upgrade to
// WebSocket that breaks RFC 6455, 4.2.1, or nil. The order of the checks is
// that of the answers: the version comes before what another version may have
// otherwise.
func checkUpgrade(r request) *answer {
	switch {
	case string(r.method) != "GET", r.version10:
		return &notWebSocket
	case r.versions > 1, r.keys > 1, r.body, r.facts.target[0] != '/':
		return &badRequest
	case r.versions == 1 && string(r.wsVersion) != "13":
		return &wrongVersion
	case r.keys == 0, !isNonce(r.wsKey):
		return &badKey
	case r.upgrade.bad:
		return &badUpgrade
	case r.connection.bad, !r.connection.has:
		return &badConnection
	case r.versions == 0:
		return &noVersion
	}
	return nil
}

// nonceLen is the length of 16 bytes in base64.
const nonceLen = 24

// isNonce reports whether key is 16 bytes in base64 (RFC 6455, 4.2.1).
func isNonce(key []byte) bool {
	var buf [18]byte // DecodedLen(24): decoding needs room for the padding
	if len(key) != nonceLen {
		return false
	}
	n, err := base64.StdEncoding.Decode(buf[:], key)
	return err == nil && n == 16
}
