package main

import (
	"errors"
	"fmt"
)

// Exit codes, the same for every verb and format (DESIGN 8).
const (
	exitClean    = 0
	exitFindings = 1 // findings at or above --fail-on, a verdict of deny, a failed case
	exitUsage    = 2 // usage or configuration
	exitInput    = 3 // a file, ref or kustomization that cannot be opened or rendered
	exitEngine   = 4 // an engine failure, nothing evaluated, or a verdict of unknown
)

// exitError carries an exit code; with a nil err nothing more is printed.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usage(err error) error  { return &exitError{exitUsage, err} }
func input(err error) error  { return &exitError{exitInput, err} }
func engine(err error) error { return &exitError{exitEngine, err} }

// failed ends a run whose findings or verdict were already printed.
func failed(code int) error { return &exitError{code: code} }

// exitCode is the code that an error ends the run with.
func exitCode(err error) int {
	var e *exitError
	switch {
	case err == nil:
		return exitClean
	case errors.As(err, &e):
		return e.code
	}
	return exitUsage // cobra's own complaints
}
