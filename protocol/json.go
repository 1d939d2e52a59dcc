package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"runtime"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"github.com/bytedance/sonic"
	"github.com/bytedance/sonic/decoder"
)

// useSonic chooses the JSON decoder; false selects encoding/json. Sonic is used
// where it is compiled for the machine: its other decoder, for arm64, refuses
// numbers beyond a float64 and takes the space behind a value for a part of
// it. And where it knows neither the processor nor the Go release it turns
// itself into encoding/json, with keys that ignore case.
const useSonic = sonic.APIKind == sonic.UseSonicJSON && runtime.GOARCH == "amd64"

// commandFields is a command's JSON object, its values still JSON text. A nil
// field was not there. All fields are raw, so that a value of a wrong type is
// no decoding error, and numbers keep their literal.
type commandFields struct {
	Cmd         sonic.NoCopyRawMessage `json:"cmd"`
	GroupID     sonic.NoCopyRawMessage `json:"group_id"`
	Message     sonic.NoCopyRawMessage `json:"message"`
	ExcludeSelf sonic.NoCopyRawMessage `json:"exclude_self"`
	ReqID       sonic.NoCopyRawMessage `json:"req_id"`
	Token       sonic.NoCopyRawMessage `json:"token"`
	Limit       sonic.NoCopyRawMessage `json:"limit"`
	After       sonic.NoCopyRawMessage `json:"after"`
}

// jsonDecoder finds the fields of a command. It is the only place that knows
// which JSON library is in use.
//
// Owner: its CommandParser, which calls decode and release in turn.
type jsonDecoder struct {
	sonic *decoder.Decoder
	// fields is what decode found; empty before it.
	fields commandFields
}

func (d *jsonDecoder) init() {
	d.sonic = decoder.NewDecoder("")
	// Without validation sonic lets raw control characters in strings pass.
	d.sonic.SetOptions(decoder.OptionCaseSensitive | decoder.OptionValidateString)
}

// decode returns the fields of the JSON object in payload, or nil if payload is
// anything else than one valid JSON object with space around it. Keys are
// case-sensitive, the last of equal keys wins, unknown ones are skipped but
// must be valid. The fields alias payload and stay valid until release.
func (d *jsonDecoder) decode(payload []byte) *commandFields {
	// Sonic takes null for an empty object.
	if !startsObject(payload) {
		return nil
	}
	if !useSonic {
		return decodeStandard(payload, &d.fields)
	}
	// The string lives no longer than payload must, see Parse.
	d.sonic.Reset(unsafe.String(&payload[0], len(payload)))
	if d.sonic.Decode(&d.fields) != nil {
		return nil
	}
	// Decode stops behind the object, whatever follows. And where it skips
	// over a string it does not look at escapes, unless the string ends in the
	// payload's last 32 bytes.
	if d.sonic.CheckTrailings() != nil || !validEscapes(payload) {
		return nil
	}
	return &d.fields
}

// release forgets what decode found. Otherwise the last payload, of whatever
// size, would live until the next one comes.
func (d *jsonDecoder) release() {
	d.fields = commandFields{}
	d.sonic.Reset("")
}

// validEscapes reports whether every backslash in b starts an escape of JSON.
// In otherwise valid JSON there are none outside of strings.
func validEscapes(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 {
			return true
		}
		b = b[i:]
		if len(b) < 2 {
			return false
		}
		n := 2
		switch b[1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		case 'u':
			n = 6
			if EscapedUnit(b) < 0 {
				return false
			}
		default:
			return false
		}
		b = b[n:]
	}
}

func startsObject(b []byte) bool {
	for _, c := range b {
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			return c == '{'
		}
	}
	return false
}

// decodeStandard is decode by encoding/json. A map, because the keys of a
// struct ignore case there. It differs in nothing but the depth it accepts
// (10,000 levels, sonic 4,096) and its cost.
func decodeStandard(payload []byte, f *commandFields) *commandFields {
	var m map[string]json.RawMessage
	if json.Unmarshal(payload, &m) != nil {
		return nil
	}
	f.Cmd = sonic.NoCopyRawMessage(m["cmd"])
	f.GroupID = sonic.NoCopyRawMessage(m["group_id"])
	f.Message = sonic.NoCopyRawMessage(m["message"])
	f.ExcludeSelf = sonic.NoCopyRawMessage(m["exclude_self"])
	f.ReqID = sonic.NoCopyRawMessage(m["req_id"])
	f.Token = sonic.NoCopyRawMessage(m["token"])
	f.Limit = sonic.NoCopyRawMessage(m["limit"])
	f.After = sonic.NoCopyRawMessage(m["after"])
	return f
}

// Pretouch compiles the JSON decoder and proves that it works by one parse.
// Call it at the start of main, before any goroutine: sonic's compiler has
// crashed when many goroutines decoded for the first time at once.
func Pretouch() error {
	if useSonic {
		if err := sonic.Pretouch(reflect.TypeFor[commandFields]()); err != nil {
			return err
		}
	}
	// With what sonic's decoders differ in: an environment variable may have
	// put the wrong one in place.
	const canary = `{"cmd":"send_to_group","group_id":12 ,"message":"\u00e4","x":[1e400],"req_id":"r"}`
	var c Command
	if err := NewCommandParser(2).Parse([]byte(canary), true, &c); err != nil {
		return err
	}
	if c.Kind != KindSendToGroup || string(c.Group) != "12" || !c.IsText ||
		string(c.Message) != "ä" || string(c.ReqID) != `"r"` {
		return errors.New("the JSON decoder does not work on this machine")
	}
	return nil
}

// AppendUnescaped appends the characters of s, the inside of a valid JSON
// string. Half a surrogate pair becomes U+FFFD, so that the result is UTF-8.
// It is never longer than s.
func AppendUnescaped(dst, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '\\' {
			dst = append(dst, c)
			continue
		}
		i++
		switch s[i] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := EscapedUnit(s[i-1:])
			i += 4
			if utf16.IsSurrogate(r) {
				if r = utf16.DecodeRune(r, EscapedUnit(s[i+1:])); r != utf8.RuneError {
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
		default: // a quote, slash or backslash
			dst = append(dst, s[i])
		}
	}
	return dst
}

// EscapedUnit is the UTF-16 unit that b begins with as \uXXXX (RFC 8259, 7), or -1.
func EscapedUnit(b []byte) (unit rune) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		unit = unit<<4 | rune(c)
	}
	return unit
}
