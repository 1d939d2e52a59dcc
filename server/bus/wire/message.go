package wire

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"groupcast/protocol"
)

// Message is what goes to a group, a user, or several of them. Whom a message under a group's or user's
// subject is for, that subject says.
type Message struct {
	// Payload is a string's characters if IsText, else one JSON value's text without space around it.
	Payload []byte
	IsText  bool
	// Origin is the place of the message on the node that published it; the zero value is that of
	// a foreign publisher.
	Origin Place
	// Exclude are texts of sessions that do not get it, in either form.
	Exclude []string
	// Groups and Users are names, of PREFIX.m alone.
	Groups, Users []string
}

// Read reads a message; header may be nil. many says that it came under PREFIX.m. More than
// maxBytes of payload are refused; whether the form that members get is too large is the engine's to say.
//
// The message aliases payload and the header's strings. It is empty beside a reason, unless that is
// ReasonTooLarge: then it has no payload, and says who missed it.
func Read(header map[string][]string, payload []byte, many bool, maxBytes int) (m Message, b *Bad) {
	var f fields
	if b = f.read(header); b != nil {
		return Message{}, b
	}
	if b = f.checkVersion(); b != nil {
		return Message{}, b
	}
	if m.IsText, b = f.readMode(); b != nil {
		return Message{}, b
	}
	if m.Origin, b = f.readOrigin(); b != nil {
		return Message{}, b
	}
	if m.Exclude, b = readSessions(HeaderExclude, f.value[exclude]); b != nil {
		return Message{}, b
	}
	if b = m.readTargets(&f, many); b != nil {
		return Message{}, b
	}
	if len(payload) > maxBytes {
		return m, bad(ReasonTooLarge, "payload: want %d bytes at most: got %d", maxBytes, len(payload))
	}
	if b = m.readPayload(payload); b != nil {
		return Message{}, b
	}
	return m, nil
}

// readTargets reads the lists of PREFIX.m. Elsewhere they would say that others are meant than the
// subject's group.
func (m *Message) readTargets(f *fields, many bool) (b *Bad) {
	if !many {
		for _, i := range [...]int{groups, users} {
			if f.there[i] {
				return bad(ReasonSubject, "%s: want it with messages under PREFIX.m alone: got it with one name's subject",
					headerNames[i])
			}
		}
		return nil
	}
	if m.Groups, b = readNames(HeaderGroups, f.value[groups], MaxGroups); b != nil {
		return b
	}
	if m.Users, b = readNames(HeaderUsers, f.value[users], MaxUsers); b != nil {
		return b
	}
	if len(m.Groups)+len(m.Users) == 0 {
		return bad(ReasonEmpty, "%s, %s: want one of them: got neither", HeaderGroups, HeaderUsers)
	}
	return nil
}

// readPayload follows the API: a JSON string is its characters, any other value its text.
func (m *Message) readPayload(payload []byte) *Bad {
	if !utf8.Valid(payload) {
		return bad(ReasonUTF8, "payload: want UTF-8: got something else in %d bytes", len(payload))
	}
	m.Payload = payload
	if m.IsText {
		return nil
	}
	if !json.Valid(payload) {
		return bad(ReasonJSON, "payload: want one JSON value: got %s", quote(payload))
	}
	// What another node's client sent was let in there.
	if m.Origin.Node == "" && hasHalfPair(payload) {
		return bad(ReasonJSON, `payload: want JSON without half of a surrogate pair (\ud800 to \udfff): got one`)
	}
	m.Payload = bytes.Trim(payload, " \t\r\n")
	if m.Payload[0] != '"' {
		return nil
	}
	m.IsText = true
	m.Payload = m.Payload[1 : len(m.Payload)-1]
	if bytes.IndexByte(m.Payload, '\\') >= 0 {
		m.Payload = protocol.AppendUnescaped(make([]byte, 0, len(m.Payload)), m.Payload)
	}
	return nil
}

// hasHalfPair reports whether a string of valid JSON has an escape of half a surrogate pair. No two
// libraries make the same of it (RFC 7493).
func hasHalfPair(text []byte) bool {
	for {
		at := bytes.IndexByte(text, '\\')
		if at < 0 {
			return false
		}
		text = text[at:]
		switch unit := protocol.EscapedUnit(text); {
		case unit < 0:
			text = text[2:] // \n and the like
		case unit < 0xD800 || unit > 0xDFFF:
			text = text[6:]
		default:
			if low := protocol.EscapedUnit(text[6:]); unit > 0xDBFF || low < 0xDC00 || low > 0xDFFF {
				return true
			}
			text = text[12:]
		}
	}
}

// Header is what has to stand beside the payload; nil if nothing has to. Names that have no
// token are left out, since nobody can have them.
func (m *Message) Header() map[string][]string { return new(HeaderBuffer).Fill(m) }

// HeaderBuffer is what headers are made in. One does for all messages of a goroutine.
type HeaderBuffer struct {
	header map[string][]string
	value  [headers][1]string
}

// Fill is Header, good until the next call.
func (b *HeaderBuffer) Fill(m *Message) map[string][]string {
	clear(b.header)
	if !m.IsText {
		b.set(mode, modeJSON)
	}
	if m.Origin.Node != "" {
		b.set(origin, m.Origin.String())
	}
	b.set(exclude, strings.Join(m.Exclude, ","))
	b.set(groups, joinTokens(m.Groups))
	b.set(users, joinTokens(m.Users))
	if len(b.header) == 0 {
		return nil
	}
	return b.header
}

// set puts a header in; one without a value is none.
func (b *HeaderBuffer) set(i int, value string) {
	if value == "" {
		return
	}
	if b.header == nil {
		b.header = make(map[string][]string, headers)
	}
	b.value[i][0] = value
	b.header[headerNames[i]] = b.value[i][:]
}
