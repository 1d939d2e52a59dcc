package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"

	"groupcast/loop"
	"groupcast/protocol"
	"groupcast/server/members"
	details "groupcast/server/problem"
)

// problem is an error as a client gets it.
type problem struct {
	details.RequestError

	headers http.Header
	cause   error // what the log should know and the client not
}

// Codes of problems. They are part of the contract.
const (
	codeBadJSON         = "bad_json"
	codeBadParameter    = "bad_parameter"
	codeBadItem         = "bad_item"
	codeBadGroup        = "bad_group"
	codeBadUser         = "bad_user"
	codeBadMessage      = "bad_message"
	codeBadSession      = "bad_session"
	codeBadClose        = "bad_close"
	codeNotUTF8         = "not_utf8"
	codeTooLarge        = "too_large"
	codeTooManyGroups   = "too_many_groups"
	codeTooManyUsers    = "too_many_users"
	codeTooManyExcludes = "too_many_excludes"
	codeTooManyItems    = "too_many_items"
	codeCutOff          = "cut_off"
	codeTooSlow         = "too_slow"
	codeMediaType       = "unsupported_media_type"
	codeUnauthorized    = "unauthorized"
	codeCrossSite       = "cross_site"
	codeWrongHost       = "wrong_host"
	codeNotFound        = "not_found"
	codeNotAllowed      = "method_not_allowed"
	codeNoGroup         = "no_such_group"
	codeNoSession       = "no_such_session"
	codeOtherNode       = "other_node"
	codeNoUser          = "no_such_user"
	codeOverloaded      = "overloaded"
	codeBusy            = "busy"
	codeDraining        = "draining"
	codeStalled         = "stalled"
	codeNotReady        = "not_ready"
	codeInternal        = "internal"
)

// retryAfter is what 503s advise, in seconds.
const retryAfter = 1

// problemf makes a problem. What it says must not repeat a client's input.
func problemf(status int, code, format string, args ...any) *problem {
	p := &problem{RequestError: details.RequestError{
		Title: http.StatusText(status), Status: status, Code: code, Detail: fmt.Sprintf(format, args...),
	}}
	if status == http.StatusServiceUnavailable {
		return p.setHeader("Retry-After", strconv.Itoa(retryAfter))
	}
	return p
}

func (p *problem) setHeader(name, value string) *problem {
	if p.headers == nil {
		p.headers = make(http.Header)
	}
	p.headers.Set(name, value)
	return p
}

// write answers with p, under the request's id.
func (p *problem) write(w http.ResponseWriter, requestID string) {
	stamped := *p
	stamped.RequestID = requestID
	maps.Copy(w.Header(), p.headers)
	stamped.Write(w)
}

// problemOf says what an error of the engine means for a client; nil is none. What
// means nothing to a client is for the log.
func problemOf(err error) *problem {
	limit, isLimit := errors.AsType[*protocol.CommandError](err)
	switch {
	case err == nil:
		return nil
	case isLimit:
		return problemf(http.StatusConflict, string(limit.Code), "%s", limit.Reason)
	case errors.Is(err, loop.ErrBadGroup):
		return problemf(http.StatusUnprocessableEntity, codeBadGroup, "%v", loop.ErrBadGroup)
	case errors.Is(err, loop.ErrTooLarge):
		return problemf(http.StatusRequestEntityTooLarge, codeTooLarge, "%v, once encoded for the members", loop.ErrTooLarge)
	case errors.Is(err, loop.ErrNotUTF8):
		return problemf(http.StatusUnprocessableEntity, codeNotUTF8, "%v", loop.ErrNotUTF8)
	case errors.Is(err, loop.ErrTooManyGroups):
		return problemf(http.StatusUnprocessableEntity, codeTooManyGroups, "%v", loop.ErrTooManyGroups)
	case errors.Is(err, loop.ErrBadUser):
		return problemf(http.StatusUnprocessableEntity, codeBadUser, "%v", loop.ErrBadUser)
	case errors.Is(err, loop.ErrTooManyUsers):
		return problemf(http.StatusUnprocessableEntity, codeTooManyUsers, "%v", loop.ErrTooManyUsers)
	case errors.Is(err, loop.ErrTooManyExcludes):
		return problemf(http.StatusUnprocessableEntity, codeTooManyExcludes, "%v", loop.ErrTooManyExcludes)
	case errors.Is(err, protocol.ErrBadClose):
		return problemf(http.StatusUnprocessableEntity, codeBadClose, "%v", protocol.ErrBadClose)
	case errors.Is(err, members.ErrAfter):
		return problemf(http.StatusUnprocessableEntity, codeBadParameter, "%v", members.ErrAfter)
	case errors.Is(err, loop.ErrNoGroup):
		return problemf(http.StatusNotFound, codeNoGroup, "%v", loop.ErrNoGroup)
	case errors.Is(err, loop.ErrNoUser):
		return problemf(http.StatusNotFound, codeNoUser, "%v", loop.ErrNoUser)
	case errors.Is(err, loop.ErrNoSession):
		return problemf(http.StatusNotFound, codeNoSession, "%v", loop.ErrNoSession)
	case errors.Is(err, members.ErrSilent):
		return problemf(http.StatusServiceUnavailable, codeStalled, "%v: what was asked for may still happen",
			members.ErrSilent)
	case errors.Is(err, loop.ErrNoMemory):
		return problemf(http.StatusServiceUnavailable, codeOverloaded, "the server is short of memory: not published")
	case errors.Is(err, loop.ErrOverloaded):
		return problemf(http.StatusServiceUnavailable, codeOverloaded, "the ring stayed full: not published")
	case errors.Is(err, loop.ErrDraining), errors.Is(err, loop.ErrClosed):
		return problemf(http.StatusServiceUnavailable, codeDraining, "the server is going away")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return problemf(http.StatusServiceUnavailable, codeStalled,
			"the event loops did not answer in time: what was asked for may still happen")
	}
	p := internal()
	p.cause = err
	return p
}

func internal() *problem {
	return problemf(http.StatusInternalServerError, codeInternal, "the log knows more, under this request's id")
}
