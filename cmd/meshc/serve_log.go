package main

import (
	"fmt"
	"log/slog"
)

// logger is the log of a server.
func (f *serveFlags) logger(s streams) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, usage(fmt.Errorf("--log-level %q is none of debug, info, warn, error", f.logLevel))
	}
	opts := &slog.HandlerOptions{Level: level}
	switch f.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(s.Err, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(s.Err, opts)), nil
	}
	return nil, usage(fmt.Errorf("--log-format %q is neither text nor json", f.logFormat))
}
