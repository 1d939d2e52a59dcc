package protocol

import (
	"bytes"
	"iter"
)

// RequestFacts is what a well-formed request says beyond what its answer
// depends on. Nothing is looked for before it is asked for, and nothing is
// copied or allocated: all slices are parts of the head that was given to
// Handshake or Inspect, and are valid as long as that is. The zero value says nothing. It
// may have secrets in it, and does not belong into a log.
type RequestFacts struct {
	target []byte
	// fields is the head behind the request line.
	fields []byte
}

// Path returns the target in front of its query, as it was sent: escapes are
// not decoded. Of an upgrade it begins with a slash.
func (f RequestFacts) Path() []byte {
	path, _, _ := bytes.Cut(f.target, []byte{'?'})
	return path
}

// Query returns what follows the target's first question mark, as it was sent.
func (f RequestFacts) Query() []byte {
	_, query, _ := bytes.Cut(f.target, []byte{'?'})
	return query
}

// Field returns the value of the first header field with that name, which is
// given in lower case, without the space around it, and how many there are. Of
// what is no list, such as Origin and Authorization, there should be one:
// a caller that decides by its value refuses more.
func (f RequestFacts) Field(name string) (value []byte, count int) {
	value, rest, ok := cutField(f.fields, name)
	for ; ok; count++ {
		_, rest, ok = cutField(rest, name)
	}
	return value, count
}

// Fields yields the values of all header fields with that name, which is given in lower
// case, without the space around them.
func (f RequestFacts) Fields(name string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		value, rest, ok := cutField(f.fields, name)
		for ok && yield(value) {
			value, rest, ok = cutField(rest, name)
		}
	}
}

// List yields the elements of all header fields with that name, which is given
// in lower case, in their order: they are one list (RFC 9110, 5.3), such as
// Sec-WebSocket-Protocol and X-Forwarded-For. Empty elements are left out. Lists
// that may have quoted strings cannot be read with it.
func (f RequestFacts) List(name string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		list, rest, ok := cutField(f.fields, name)
		for ; ok; list, rest, ok = cutField(rest, name) {
			for len(list) > 0 {
				var element []byte
				if element, list = cutElement(list); len(element) > 0 && !yield(element) {
					return
				}
			}
		}
	}
}

// cutField returns the value of the first field with that name, and what
// follows it, of fields that are well-formed.
func cutField(fields []byte, name string) (value, rest []byte, ok bool) {
	for {
		var line []byte
		if line, fields = cutLine(fields); len(line) == 0 {
			return nil, nil, false
		}
		if n := len(name); len(line) > n && line[n] == ':' && equalFold(line[:n], name) {
			return bytes.Trim(line[n+1:], " \t"), fields, true
		}
	}
}
