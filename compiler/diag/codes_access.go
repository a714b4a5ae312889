package diag

// accessCodes are MSH1xxx.
var accessCodes = []Entry{}
