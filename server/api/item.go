package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"unicode/utf8"

	"groupcast/loop"
	"groupcast/protocol"
)

// item is one publication as it stands in the body of POST /v1/publish.
type item struct {
	groups  []string
	payload []byte // a string's characters if isText, else a JSON value's text as it stood there
	isText  bool
	exclude []loop.SessionID
	problem *problem // why it cannot be published; the rest means nothing then
}

// parseItems reads one publication or an array of them. What is wrong with the
// JSON is wrong with the whole body, and the error says it; what is wrong with
// one publication is in that item, so that the others can be published.
//
// It is stricter than the WebSocket commands are: here a mistake is made by a
// program that gets an answer. Text that is not UTF-8, half of a surrogate pair
// anywhere, a name that stands twice in a publication: none of it has a meaning
// that all JSON libraries share (RFC 7493). Inside of message only the first two
// are looked for.
func parseItems(body []byte, maxItems int) (items []item, batch bool, p *problem) {
	if !utf8.Valid(body) {
		return nil, false, badJSON("the body is not UTF-8")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(body, &whole); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, false, badJSON("the body is not one valid JSON value: what is wrong is at byte %d of %d", syntax.Offset, len(body))
		}
		return nil, false, badJSON("the body is not one valid JSON value")
	}
	if hasLoneSurrogate(body) {
		return nil, false, badJSON(`a string has half of a surrogate pair (\ud800 to \udfff)`)
	}
	body = bytes.TrimLeft(body, " \t\r\n")
	switch body[0] {
	case '{':
		one, p := parseItem(body)
		return []item{one}, false, p
	case '[':
		items, p := parseBatch(body, maxItems)
		return items, true, p
	}
	return nil, false, problemf(http.StatusUnprocessableEntity, codeBadItem, "the body must be an object, or an array of objects")
}

func badJSON(format string, args ...any) *problem {
	return problemf(http.StatusBadRequest, codeBadJSON, format+": nothing was published", args...)
}

// parseBatch reads a valid JSON array.
func parseBatch(body []byte, maxItems int) ([]item, *problem) {
	elements := values(body)
	items := []item{}
	for elements.More() {
		if len(items) == maxItems {
			return nil, problemf(http.StatusRequestEntityTooLarge, codeTooManyItems, "a batch has %d items at most: nothing was published", maxItems)
		}
		one, p := parseItem(next(elements))
		if p != nil {
			return nil, p
		}
		items = append(items, one)
	}
	return items, nil
}

// parseItem reads a valid JSON value.
func parseItem(raw []byte) (it item, whole *problem) {
	if raw[0] != '{' {
		return item{problem: badItem("an item must be an object")}, nil
	}
	// The first mistake is told; but all names are read, for those that stand twice.
	var seen struct{ groups, message, exclude bool }
	blame := func(p *problem) {
		if it.problem == nil {
			it.problem = p
		}
	}
	fields := values(raw)
	for fields.More() {
		name := key(fields)
		value := next(fields)
		var twice *bool
		switch name {
		case "groups":
			twice = &seen.groups
			blame(it.readGroups(value))
		case "message":
			twice = &seen.message
			it.readMessage(value)
		case "exclude":
			twice = &seen.exclude
			blame(it.readExclude(value))
		default:
			blame(badItem("there is a field that is none of groups, message and exclude"))
			continue
		}
		if *twice {
			return item{}, badJSON("%s stands twice in an item", name)
		}
		*twice = true
	}
	if !seen.groups {
		blame(badItem("groups is missing"))
	}
	if !seen.message {
		blame(problemf(http.StatusUnprocessableEntity, codeBadMessage, "message is missing"))
	}
	return it, nil
}

func badItem(detail string) *problem {
	return problemf(http.StatusUnprocessableEntity, codeBadItem, "%s", detail)
}

// readGroups reads an array of names: 123 is "123", as in commands. Their length
// is for the engine to judge.
func (it *item) readGroups(raw []byte) *problem {
	if raw[0] != '[' {
		return badItem("groups must be an array")
	}
	elements := values(raw)
	for elements.More() {
		if len(it.groups) == loop.MaxPublicationGroups {
			return problemf(http.StatusUnprocessableEntity, codeTooManyGroups, "%v", loop.ErrTooManyGroups)
		}
		name, ok := groupName(next(elements))
		if !ok {
			return problemf(http.StatusUnprocessableEntity, codeBadGroup, "a group must be a string or an integer")
		}
		it.groups = append(it.groups, name)
	}
	if len(it.groups) == 0 {
		return badItem("groups is empty")
	}
	return nil
}

func groupName(raw []byte) (string, bool) {
	if raw[0] == '"' {
		return characters(raw), true
	}
	name, ok := protocol.NumberedGroup(raw)
	return string(name), ok
}

func (it *item) readMessage(raw []byte) {
	if it.isText = raw[0] == '"'; it.isText {
		it.payload = []byte(characters(raw))
	} else {
		it.payload = raw
	}
}

func (it *item) readExclude(raw []byte) *problem {
	if raw[0] != '[' {
		return badItem("exclude must be an array")
	}
	elements := values(raw)
	for elements.More() {
		if len(it.exclude) == loop.MaxPublicationExcludes {
			return problemf(http.StatusUnprocessableEntity, codeTooManyExcludes, "%v", loop.ErrTooManyExcludes)
		}
		text := next(elements)
		if text[0] != '"' {
			return badSession()
		}
		id, err := loop.ParseSessionID(characters(text))
		if err != nil {
			return badSession()
		}
		it.exclude = append(it.exclude, id)
	}
	return nil
}

func badSession() *problem {
	return problemf(http.StatusUnprocessableEntity, codeBadSession, "exclude has something in it that is not a session id")
}

// key is the next name of a valid object.
func key(d *json.Decoder) string {
	token, err := d.Token()
	if err != nil {
		panic(err) // it was valid
	}
	return token.(string)
}

// values walks over the inside of a valid array or object: More, then next (in
// an object key and next), and so on.
func values(raw []byte) *json.Decoder {
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		panic(err) // it was valid
	}
	return d
}

// next is the text of the next value, as it stood there, without the space around it.
func next(d *json.Decoder) []byte {
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		panic(err) // it was valid
	}
	return raw
}

// characters are those of a valid JSON string.
func characters(raw []byte) (s string) {
	if err := json.Unmarshal(raw, &s); err != nil {
		panic(err) // it was valid
	}
	return s
}

// hasLoneSurrogate looks for an escape of half a surrogate pair in valid JSON.
// encoding/json makes U+FFFD of it, which is not what was meant.
func hasLoneSurrogate(body []byte) bool {
	for {
		at := bytes.IndexByte(body, '\\')
		if at < 0 {
			return false
		}
		body = body[at:]
		switch unit := protocol.EscapedUnit(body); {
		case unit < 0:
			body = body[2:] // \n and the like
		case unit < 0xD800 || unit > 0xDFFF:
			body = body[6:]
		case unit > 0xDBFF:
			return true // a second half first
		default:
			if low := protocol.EscapedUnit(body[6:]); low < 0xDC00 || low > 0xDFFF {
				return true
			}
			body = body[12:]
		}
	}
}
