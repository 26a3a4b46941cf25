import { IsNotEmpty, IsOptional, IsString, MaxLength } from 'class-validator';

export class SupportDto {
  @IsOptional()
  @IsString()
  @IsNotEmpty()
  @MaxLength(200)
  reason?: string;
}
