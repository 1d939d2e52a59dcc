package api

import (
	"net/http"

	"groupcast/loop"
	"groupcast/protocol"
	"groupcast/server/members"
)

// item is one publication as it stands in the body of POST /v1/publish.
type item struct {
	groups, users []string
	// payload is a string's characters if isText, else a JSON value's text as it stood
	// there. It may alias the body.
	payload []byte
	isText  bool
	exclude []loop.SessionID
	// excludeElsewhere are the ids of sessions that are none of this node's.
	excludeElsewhere []string
	problem          *problem // why it cannot be published; the rest means nothing then
}

// blame notes why it cannot be published. The first mistake is told.
func (it *item) blame(p *problem) {
	if it.problem == nil {
		it.problem = p
	}
}

// parseItems reads one publication or an array of them, in one pass. What is wrong
// with the JSON is wrong with the whole body, and the error says it; what is wrong
// with one publication is in that item, so that the others can be published.
//
// It is stricter than the WebSocket commands are: here a mistake is made by a
// program that gets an answer. Text that is not UTF-8, half of a surrogate pair
// anywhere, a name that stands twice in a publication: none of it has a meaning
// that all JSON libraries share (RFC 7493). Inside of message only the first two
// are looked for.
func parseItems(body []byte, maxItems int, c members.Cluster) (items []item, batch bool, p *problem) {
	s := itemScanner{scanner{text: body}, c}
	switch s.peek() {
	case '{':
		items = []item{s.item()}
	case '[':
		items, batch = s.batch(maxItems), true
	default:
		s.value()
		p = problemf(http.StatusUnprocessableEntity, codeBadItem, "the body must be an object, or an array of objects")
	}
	if s.end(); s.problem != nil {
		return nil, batch, s.problem
	}
	return items, batch, p
}

// itemScanner reads items, with sessions as they are called in a cluster; nil: this node is alone.
type itemScanner struct {
	scanner

	cluster members.Cluster
}

func badJSON(format string, args ...any) *problem {
	return problemf(http.StatusBadRequest, codeBadJSON, format+": nothing was published", args...)
}

// batch reads an array of items.
func (s *itemScanner) batch(maxItems int) []item {
	items := []item{}
	s.open('[')
	for first := true; s.next(']', first); first = false {
		if len(items) == maxItems {
			s.fail(problemf(http.StatusRequestEntityTooLarge, codeTooManyItems,
				"a batch has %d items at most: nothing was published", maxItems))
			break
		}
		items = append(items, s.item())
	}
	return items
}

// item reads one, with all its mistakes: what comes behind the first is still
// looked at, for what makes the whole body invalid.
func (s *itemScanner) item() (it item) {
	if !s.open('{') {
		s.value()
		it.blame(badItem("an item must be an object"))
		return it
	}
	var groups, users, message, exclude bool // seen
	for first := true; s.next('}', first); first = false {
		var seen *bool
		switch name := s.key(); string(name) {
		case "groups":
			seen = &groups
			it.groups = it.readNames(&s.scanner, groupNames)
		case "users":
			seen = &users
			it.users = it.readNames(&s.scanner, userNames)
		case "message":
			seen = &message
			it.readMessage(&s.scanner)
		case "exclude":
			seen = &exclude
			it.readExclude(s)
		default:
			it.blame(badItem("there is a field that is none of groups, users, message and exclude"))
			s.value()
			continue
		}
		if *seen {
			s.fail(badJSON("groups, users, message or exclude stands twice in an item"))
		}
		*seen = true
	}
	if !groups && !users {
		it.blame(badItem("groups is missing, and so is users: one of them has to be there"))
	}
	if !message {
		it.blame(problemf(http.StatusUnprocessableEntity, codeBadMessage, "message is missing"))
	}
	return it
}

func badItem(detail string) *problem {
	return problemf(http.StatusUnprocessableEntity, codeBadItem, "%s", detail)
}

// names are what an item's field may have in it.
type names struct {
	field, one  string // the field's name, and how one of them is called
	bad         string // the code for what is no name
	max         int
	tooMany     error
	tooManyCode string
}

var (
	groupNames = &names{
		"groups", "a group", codeBadGroup,
		loop.MaxPublicationGroups, loop.ErrTooManyGroups, codeTooManyGroups,
	}
	userNames = &names{
		"users", "a user", codeBadUser,
		loop.MaxPublicationUsers, loop.ErrTooManyUsers, codeTooManyUsers,
	}
)

// readNames reads an array of names: 123 is "123", as in commands. Their length
// is for the engine to judge.
func (it *item) readNames(s *scanner, of *names) (list []string) {
	if !s.open('[') {
		s.value()
		it.blame(badItem(of.field + " must be an array"))
		return nil
	}
	n := 0
	for first := true; s.next(']', first); first = false {
		name, ok := s.name()
		switch n++; {
		case n > of.max:
			it.blame(problemf(http.StatusUnprocessableEntity, of.tooManyCode, "%v", of.tooMany))
		case !ok:
			it.blame(problemf(http.StatusUnprocessableEntity, of.bad, "%s must be a string or an integer", of.one))
		case it.problem == nil:
			list = append(list, name)
		}
	}
	if n == 0 {
		it.blame(badItem(of.field + " is empty"))
	}
	return list
}

// name is the name that comes next; false if it is none.
func (s *scanner) name() (string, bool) {
	if s.peek() == '"' {
		return string(s.string()), true
	}
	name, ok := protocol.NumberedGroup(s.value())
	return string(name), ok
}

func (it *item) readMessage(s *scanner) {
	if it.isText = s.peek() == '"'; it.isText {
		it.payload = s.string()
	} else {
		it.payload = s.value()
	}
}

func (it *item) readExclude(s *itemScanner) {
	if !s.open('[') {
		s.value()
		it.blame(badItem("exclude must be an array"))
		return
	}
	n := 0
	for first := true; s.next(']', first); first = false {
		var id loop.SessionID
		var text string
		var err error
		ours, isText := true, s.peek() == '"'
		if isText {
			text = string(s.string())
			id, ours, err = readSession(s.cluster, text)
		} else {
			s.value()
		}
		switch n++; {
		case n > loop.MaxPublicationExcludes:
			it.blame(problemf(http.StatusUnprocessableEntity, codeTooManyExcludes, "%v", loop.ErrTooManyExcludes))
		case !isText || err != nil:
			it.blame(problemf(http.StatusUnprocessableEntity, codeBadSession,
				"exclude has something in it that is not a session id"))
		case it.problem != nil:
		case ours:
			it.exclude = append(it.exclude, id)
		default:
			it.excludeElsewhere = append(it.excludeElsewhere, text)
		}
	}
}
