package protocol

import "bytes"

// HeadEnd returns the index just behind the blank line that ends the HTTP
// request head at the start of b, or -1 if it is not there. from is how much of
// b an earlier call has seen, so that a head that comes in parts is searched
// once. A line may end in a bare LF (RFC 9112, 2.2).
func HeadEnd(b []byte, from int) int {
	for i := max(from-3, 0); ; i++ {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return -1
		}
		i += n
		switch {
		case i+1 < len(b) && b[i+1] == '\n':
			return i + 2
		case i+2 < len(b) && b[i+1] == '\r' && b[i+2] == '\n':
			return i + 3
		}
	}
}

// request is what must be known of a request's head to answer it. Its slices
// alias the head.
type request struct {
	method []byte
	// facts has the target and the fields; zero if the head is malformed.
	facts RequestFacts
	// version10 is HTTP/1.0; else it is HTTP/1.1.
	version10 bool
	// hosts, keys and versions count the header fields of these names, which
	// are no lists: more than one is a mistake.
	hosts, keys, versions int
	// wsVersion is the last Sec-WebSocket-Version.
	wsVersion []byte
	// wsKey is the last Sec-WebSocket-Key.
	wsKey []byte
	// upgrade is what the Upgrade fields say of websocket.
	upgrade listed
	// connection is what the Connection fields say of upgrade.
	connection listed
	// offersV1 says that the Sec-WebSocket-Protocol fields name SubprotocolV1.
	offersV1 bool
	// body says that a body may follow the head.
	body bool
}

// listed is what all fields of one name, which are one list (RFC 9110, 5.3),
// say of one element.
type listed struct {
	// has says that the element is there.
	has bool
	// bad says that something is there that may not be in such a list.
	bad bool
}

// parseRequest reads head, which ends with its blank line (RFC 9112, 2 to 6).
// It is as strict as net/http, and stricter in refusing folded lines. Whether an
// upgrade is a good one is for checkUpgrade to say.
func parseRequest(head []byte) (r request, ok bool) {
	line, head := cutLine(head)
	method, rest, ok1 := bytes.Cut(line, []byte{' '})
	target, version, ok2 := bytes.Cut(rest, []byte{' '})
	// Known even if the rest is not good: no answer to HEAD has a body.
	r.method = method
	if !ok1 || !ok2 || !isToken(method) || !isTarget(target) {
		return r, false
	}
	switch string(version) {
	case "HTTP/1.1":
	case "HTTP/1.0":
		r.version10 = true
	default:
		return r, false
	}
	fields := head
	for {
		if line, head = cutLine(head); len(line) == 0 {
			break
		}
		// A folded line begins with space, which no token does.
		name, value, ok := bytes.Cut(line, []byte{':'})
		if !ok || !isToken(name) || !isFieldValue(value) {
			return r, false
		}
		r.field(name, bytes.Trim(value, " \t"))
	}
	if r.hosts > 1 || r.hosts == 0 && !r.version10 || len(head) > 0 {
		return r, false
	}
	r.facts = RequestFacts{target, fields}
	return r, true
}

// field notes one header field. Of fields that are lists, several are one
// list. Sec-WebSocket-Extensions is one too, of which nothing is accepted.
//
// Where a request ends is what a proxy in front and this server must not
// differ about, or one reads as frames or as the next request what is the
// other's body (request smuggling). So body takes the side of there being one,
// whatever a Transfer-Encoding says, and unless every Content-Length is just
// 0: not in a list, not as 00 or +0. With a body there is no upgrade, and all
// other answers close the connection.
func (r *request) field(name, value []byte) {
	switch {
	case equalFold(name, "host"):
		r.hosts++
	case equalFold(name, "upgrade"):
		r.upgrade.add(value, "websocket", isProtocol)
	case equalFold(name, "connection"):
		r.connection.add(value, "upgrade", isToken)
	case equalFold(name, "sec-websocket-key"):
		r.keys++
		r.wsKey = value
	case equalFold(name, "sec-websocket-version"):
		r.versions++
		r.wsVersion = value
	case equalFold(name, "sec-websocket-protocol"):
		r.offersV1 = r.offersV1 || hasElement(value, SubprotocolV1)
	case equalFold(name, "content-length"):
		r.body = r.body || string(value) != "0"
	case equalFold(name, "transfer-encoding"):
		r.body = true
	}
}

// add notes one field's value: whether it has the element want, given in lower
// case, in any case, and whether all of it is valid. No element that is valid
// has a comma in it; quoted strings, which may, are not.
func (l *listed) add(value []byte, want string, valid func([]byte) bool) {
	for len(value) > 0 {
		var element []byte
		element, value = cutElement(value)
		switch {
		case len(element) == 0:
		case equalFold(element, want):
			l.has = true
		case !valid(element):
			l.bad = true
		}
	}
}

// hasElement reports whether a field's value has the element want, exactly.
func hasElement(value []byte, want string) bool {
	for len(value) > 0 {
		var element []byte
		if element, value = cutElement(value); string(element) == want {
			return true
		}
	}
	return false
}

// cutElement returns the first element of a comma-separated list, without the
// space around it, and what follows its comma. The element may be empty, and
// is to be ignored then (RFC 9110, 5.6.1.2).
func cutElement(list []byte) (element, rest []byte) {
	element, rest, _ = bytes.Cut(list, []byte{','})
	return bytes.Trim(element, " \t"), rest
}

// isProtocol reports whether b is a protocol's name, perhaps with a version
// (RFC 9110, 7.8).
func isProtocol(b []byte) bool {
	name, version, found := bytes.Cut(b, []byte{'/'})
	return isToken(name) && (!found || isToken(version))
}

// cutLine returns the first line of b without its end, and what follows. The
// last line may lack its end.
func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte{'\n'})
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, rest
}

// equalFold reports whether b is s, which is in lower case, in any case. ASCII
// only: for Unicode's folding, K is also the Kelvin sign.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != s[i] {
			return false
		}
	}
	return true
}

// isToken reports whether b is a token (RFC 9110, 5.6.2).
func isToken(b []byte) bool {
	for _, c := range b {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0:
		default:
			return false
		}
	}
	return len(b) > 0
}

// isFieldValue reports whether b has no control characters but tab (RFC 9110,
// 5.5); a CR here is one that does not end the line.
func isFieldValue(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isTarget reports whether b may be a request target: no space, no control
// characters, and percent signs only in front of two hexadecimal digits in the
// path.
func isTarget(b []byte) bool {
	path := true
	for i, c := range b {
		switch {
		case c <= ' ', c == 0x7f:
			return false
		case c == '?':
			path = false
		case c == '%' && path:
			if i+2 >= len(b) || !isHex(b[i+1]) || !isHex(b[i+2]) {
				return false
			}
		}
	}
	return len(b) > 0
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}
