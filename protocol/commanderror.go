package protocol

// Code names an error for programs. It is part of the contract (WIRE.md,
// "Errors").
type Code string

// All error codes of the contract. Parse returns the first four of them; the
// others are said by those who hold the state that they are about.
const (
	CodeBadJSON       Code = "bad_json"
	CodeBadCommand    Code = "bad_command"
	CodeBadGroup      Code = "bad_group"
	CodeBadMessage    Code = "bad_message"
	CodeTooLarge      Code = "too_large"
	CodeTooManyGroups Code = "too_many_groups"
	CodeNotAllowed    Code = "not_allowed"
	CodeRateLimited   Code = "rate_limited"
	CodeOverloaded    Code = "overloaded"
	CodeDraining      Code = "draining"
)

// CommandError says why a command is not carried out: Code for the client's
// program, Reason for a developer who reads its log. Reason is fixed text and never
// repeats the input. The connection stays open.
//
// The errors this package returns are preallocated and shared; treat them as
// read-only. As with CloseError, beware of a nil one in an error variable.
type CommandError struct {
	Code   Code
	Reason string
}

// Error implements error.
func (e *CommandError) Error() string {
	return string(e.Code) + ": " + e.Reason
}

var (
	errNotObject = &CommandError{CodeBadJSON, "a command must be one JSON object"}
	errNotUTF8   = &CommandError{CodeBadJSON, "a command must be UTF-8"}
	errCmd       = &CommandError{
		CodeBadCommand, "cmd must be add_group, leave_group, send_to_group, members, ping or auth",
	}
	errReqID       = &CommandError{CodeBadCommand, "req_id must be a string or an integer of at most 256 bytes"}
	errExcludeSelf = &CommandError{CodeBadCommand, "exclude_self must be true or false"}
	errLimit       = &CommandError{CodeBadCommand, "limit must be an integer from 1 to 1000"}
	errAfter       = &CommandError{CodeBadCommand, "after must be the next of a page, a string"}
	errGroupType   = &CommandError{CodeBadGroup, "group_id must be a string or an integer"}
	errGroupEmpty  = &CommandError{CodeBadGroup, "group_id must not be empty"}
	errGroupLength = &CommandError{CodeBadGroup, "group_id is too long"}
	errToken       = &CommandError{CodeBadCommand, "token must be a string"}
	errNoMessage   = &CommandError{CodeBadMessage, "message is missing"}
)
