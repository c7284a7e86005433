module baleen.test/judge

go 1.19
