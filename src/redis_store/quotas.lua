-- Gives units back to an account, then takes some of what its limit has left: what store::QuotaStore promises.
--
-- KEYS[1]  the account, a hash: `taken`, and `h:<holder>`, the last request of a holder and what it was granted
-- ARGV     limit, sequence, units to give back, units wanted, milliseconds until it is forgotten, holder
-- returns  1, units granted, units taken; 0 when the holder has made a later request since
local limit, sequence = tonumber(ARGV[1]), tonumber(ARGV[2])
local give_back, wanted = tonumber(ARGV[3]), tonumber(ARGV[4])
local holder = 'h:' .. ARGV[6]

local stored = redis.call('HMGET', KEYS[1], 'taken', holder)
local taken = 0
if stored[1] then
    taken = tonumber(string.match(stored[1], '^%d+$'))
end
local answered, granted_then = -1, 0
if stored[2] then
    local a, g = string.match(stored[2], '^(%d+) (%d+)$')
    answered, granted_then = tonumber(a), tonumber(g)
end
if not taken or not answered then
    return redis.error_reply('ODDVALUE the value of ' .. KEYS[1] .. ' is not an account')
end
if sequence < answered then
    return { 0, 0, 0 }
end
if sequence == answered then
    return { 1, granted_then, taken }
end

taken = math.max(0, taken - give_back)
local granted = math.min(wanted, math.max(0, limit - taken))
taken = taken + granted
redis.call('HSET', KEYS[1], 'taken', string.format('%.0f', taken), holder,
    string.format('%.0f %.0f', sequence, granted))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return { 1, granted, taken }
