//go:build !linux

package bundle

import "errors"

// exchange is not to be had here; Write falls back to two renames.
func exchange(a, b string) error { return errors.ErrUnsupported }

// lockFolder does nothing here: run one writer at a time.
func lockFolder(string) (unlock func(), err error) { return func() {}, nil }
